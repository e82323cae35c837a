/** Pages of long tables by the key of the last row, and what a query string may say. */

export const PAGE = 50;
export const CSV_ROWS = 10_000;

/** A text of the query string, at most as long as a reference can be. */
export function text(value, longest = 600) {
  return typeof value === 'string' ? value.trim().slice(0, longest) : '';
}

/** One of a list, otherwise the first. */
export function oneOf(value, list) {
  return list.includes(value) ? value : list[0];
}

/** A whole number, or null. */
export function whole(value) {
  return /^\d{1,15}$/.test(value ?? '') ? Number(value) : null;
}

/** Lines as an array: a pattern may have commas. */
export function lines(value) {
  return text(value, 20_000).split('\n').map((w) => w.trim()).filter(Boolean);
}

/** Lines or comma separated words as an array. */
export function words(value) {
  return text(value, 20_000).split(/[\n,]/).map((w) => w.trim()).filter(Boolean);
}

/** The key of the last row, as a query string carries it. */
export function cursorOf(key) {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

/** The key that a query string carries; null: there is none, or it is not one of `length` texts of which the first is as `first` says. */
export function keyOf(cursor, length, first = /(?:)/) {
  try {
    const key = JSON.parse(Buffer.from(text(cursor, 4000), 'base64url').toString());
    return Array.isArray(key) && key.length === length && key.every((k) => typeof k === 'string' || typeof k === 'number') && first.test(key[0]) ? key : null;
  } catch {
    return null;
  }
}

/**
 * Conditions with numbered parameters.
 * @example const c = new Conditions(); c.add('kind = ?', 'model'); c.where // " WHERE kind = $1"
 */
export class Conditions {
  constructor() {
    this.parts = [];
    this.values = [];
  }

  add(condition, ...values) {
    this.parts.push(condition.replace(/\?/g, () => {
      this.values.push(values.shift());
      return `$${this.values.length}`;
    }));
    return this;
  }

  get where() {
    return this.parts.length ? ` WHERE ${this.parts.join(' AND ')}` : '';
  }
}

/** Rows of a page, of which one more was read; `next` is the cursor of the following page. */
export function pageOf(rows, key, size = PAGE) {
  const more = rows.length > size;
  const shown = more ? rows.slice(0, size) : rows;
  return { rows: shown, next: more ? cursorOf(key(shown[size - 1])) : null };
}

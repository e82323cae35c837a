/** Tables as CSV (RFC 4180). */

/** A cell; what a spreadsheet would take for a formula gets an apostrophe before it. */
function cell(value) {
  if (value === null || value === undefined) return '';
  if (value instanceof Date) return value.toISOString();
  let text = typeof value === 'object' && !Array.isArray(value) ? JSON.stringify(value)
    : Array.isArray(value) ? value.join(', ') : String(value);
  if (typeof value !== 'number' && /^[=+\-@\t\r\n＝＋－＠]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** @param {string[]} columns @param {object[]} rows */
export function csv(columns, rows) {
  return [columns, ...rows.map((row) => columns.map((c) => row[c]))].map((line) => line.map(cell).join(',')).join('\r\n') + '\r\n';
}

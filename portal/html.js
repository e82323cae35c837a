/** What the views use: how times, sizes, states and texts are written. Functions that return HTML escape what they get. */
import MarkdownIt from 'markdown-it';

export function escape(text) {
  return String(text ?? '').replace(/[&<>"']/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[c]);
}

/** A path of this site, or null: what a form says is not trusted. */
export function local(target) {
  return typeof target === 'string' && /^\/(?![/\\])[^\s\\]*$/.test(target) ? target : null;
}

/** A path with a query of the values that are there. */
export function link(path, values = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined || value === '' || value === false) continue;
    for (const one of Array.isArray(value) ? value : [value]) query.append(name, one);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

const STATES = {
  approved: ['✓', 'good'], pending: ['…', 'wait'], rejected: ['✕', 'bad'], revoked: ['⊘', 'bad'], expired: ['⌛', 'wait'],
  complete: ['✓', 'good'], partial: ['◐', 'wait'], failed: ['✕', 'bad'], running: ['↻', 'wait'], kept: ['=', 'calm'], disabled: ['‖', 'calm'], never: ['–', 'calm'],
};

/** A state in words, with a sign, so that colour is not all that tells. */
export function state(name, text = name) {
  const [sign, tone] = STATES[name] ?? ['•', 'calm'];
  return `<span class="state ${tone}"><span aria-hidden="true">${sign}</span> ${escape(text)}</span>`;
}

/** `2026-11-26 12:18`, in UTC as all times of the portal. */
export function time(value) {
  if (!value) return '<span class="none">–</span>';
  const date = value instanceof Date ? value : new Date(value);
  if (Number.isNaN(date.getTime())) return escape(value);
  const iso = date.toISOString();
  return `<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 16)}</time>`;
}

/** How long ago, in the largest unit. */
export function ago(value) {
  if (!value) return 'never';
  const seconds = (Date.now() - new Date(value).getTime()) / 1000;
  const future = seconds < 0;
  const s = Math.abs(seconds);
  const [n, unit] = s < 60 ? [Math.round(s), 's'] : s < 3600 ? [Math.round(s / 60), 'min'] : s < 86400 * 2 ? [Math.round(s / 3600), 'h'] : [Math.round(s / 86400), 'days'];
  return future ? `in ${n} ${unit}` : s < 5 ? 'just now' : `${n} ${unit} ago`;
}

export function size(bytes) {
  if (bytes === null || bytes === undefined) return '–';
  let n = Number(bytes);
  for (const unit of ['B', 'kB', 'MB', 'GB', 'TB']) {
    if (n < 1000 || unit === 'TB') return `${unit === 'B' || n >= 100 ? Math.round(n) : n.toFixed(1)} ${unit}`;
    n /= 1000;
  }
  return '';
}

export const count = (n) => (n === null || n === undefined ? '–' : Number(n).toLocaleString('en'));

/** `1 tag`, `1,200 tags`. */
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${Number(n) === 1 ? one : many}`;

/** `sha256:0726e845ee95…`, whole in the title. */
export function digest(text) {
  if (!text) return '<span class="none">–</span>';
  return `<code class="digest" title="${escape(text)}">${escape(text.slice(0, 19))}…</code>`;
}

/** A manifest as JSON, with its members in the order in which people write them; jsonb keeps none. */
export function manifestText({ apiVersion, kind, metadata, ...rest }) {
  return JSON.stringify({ apiVersion, kind, metadata, ...rest }, null, 2);
}

/** A button that copies a text; script.js does it. */
export function copy(text, what) {
  return `<button type="button" class="copy" data-copy="${escape(text)}" aria-label="Copy ${escape(what)}">Copy</button>`;
}

/** An HM tag with its colour, drawn as SVG since the page has no inline style. */
export function hmTag(name, color) {
  const safe = /^(#[0-9a-fA-F]{3,8}|[a-z]{3,30})$/.test(color ?? '') ? color : '#808080';
  return `<span class="hm"><svg width="9" height="9" aria-hidden="true"><circle cx="4.5" cy="4.5" r="4.5" fill="${safe}"/></svg> ${escape(name)}</span>`;
}

// Neither HTML nor pictures, and links to http, https and mailto only, in a window without access to this one.
const markdown = new MarkdownIt({ html: false, linkify: false });
markdown.disable('image');
markdown.validateLink = (url) => /^(https?:\/\/|mailto:)/i.test(url.trim());
markdown.renderer.rules.link_open = (tokens, index, options, env, self) => {
  tokens[index].attrSet('rel', 'noopener noreferrer nofollow');
  return self.renderToken(tokens, index, options);
};
// A README's headings come below those of the page.
for (const rule of ['heading_open', 'heading_close']) {
  markdown.renderer.rules[rule] = (tokens, index, options, env, self) => {
    tokens[index].tag = `h${Math.min(6, Number(tokens[index].tag.slice(1)) + 2)}`;
    return self.renderToken(tokens, index, options);
  };
}
markdown.renderer.rules.table_open = () => '<div class="wide" tabindex="0"><table>';
markdown.renderer.rules.table_close = () => '</table></div>';
export const readme = (text) => markdown.render(text ?? '');

/** Where an image has its page; a digest names one that its tag does not point at any more. */
export const imageLink = ({ registry, repository, tag, digest: d }, withDigest = false) => link('/image', { registry, repository, tag, digest: withDigest ? d : '' });
export const repositoryLink = ({ registry, repository }) => link('/repository', { registry, repository });

export const helpers = { escape, link, state, time, ago, size, count, plural, digest, copy, hmTag, readme, imageLink, repositoryLink };

export { type Content, html, Html } from './html.ts';

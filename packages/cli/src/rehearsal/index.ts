export { type Act, rehearse, type Rehearsed } from './acts.ts';
export { rehearsalFor, REHEARSED } from './rehearsal-for.ts';

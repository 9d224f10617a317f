import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';

// Imported for its effect, before anything else is loaded: compiled code is kept between starts (in the workspace, or in
// NODE_COMPILE_CACHE), and while a service starts its heap for short-lived objects does not grow. Together half of an idle
// service's memory. What is to be collected under load may not pile up either: V8 would let the heap grow fourfold first.
//
// JavaScript, as are the main files that import it: what is loaded before the cache is on has its types stripped anew at
// every start, and Node's compiler for that alone takes 18 MB, for good.
enableCompileCache(fileURLToPath(new URL('../../../node_modules/.cache/cordon', import.meta.url)));
setFlagsFromString('--expose-gc'); // for `give-back-memory`; here, as compiled code that was kept under other flags is not taken
setFlagsFromString('--semi-space-growth-factor=1');
setFlagsFromString('--heap-growing-percent=60');

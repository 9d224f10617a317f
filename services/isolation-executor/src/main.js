import '@cordon/service/lean'; // first, so that everything after it is loaded the lean way

await import('./wire.ts');

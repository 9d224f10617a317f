/** Tests that have a smaller form for every day take their full size with `CORDON_TEST=full`. */
export const isFull = process.env['CORDON_TEST'] === 'full';

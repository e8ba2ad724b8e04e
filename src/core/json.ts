/** What a checkpoint, a message between threads or `--json` may hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

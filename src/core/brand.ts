declare const brand: unique symbol;

/** A type that must not mix with its base: only the one constructor of the brand makes it. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };

// Package account is who a shopper is: guest sessions and sign-ins in a signed cookie, passwords, registration,
// sign-in and changes to an account.
//
// A session is a cookie named sid that carries the user id, the session id of a sign-in (none for a guest) and the
// time it was issued, signed with HMAC-SHA256. Nothing but the signing key is needed to read it, so it outlives any
// cache; whether it still stands is asked of the [shop.UserStore] each time, so that a sign-out, a registration or a
// claimed guest takes effect at once everywhere.
//
// Passwords are kept as argon2id hashes in PHC form. Hashing is bounded in number, and attempts to sign in are limited
// per address and client; both limits hold per process.
package account

// Package web is the storefront: server-rendered pages of the shop for people, working without JavaScript.
//
// Its pages come in two sorts. Shared pages (home, category, product, search, pictures, assets) read the catalogue
// only, never read or set a cookie, and say through Surrogate-Control and Surrogate-Key how an edge may keep them.
// Personal pages (bag, account, orders) belong to one shopper and are never stored. What is personal is kept off the
// shared pages, so that one copy of a product page serves everybody.
//
// Forms are protected against cross-site requests by the SameSite=Lax session cookie and by checking Sec-Fetch-Site
// and Origin; scripts and styles come only from this origin, as the Content-Security-Policy demands.
package web

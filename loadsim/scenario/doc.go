// Package scenario describes what shoppers do and in which numbers they come, as data: Go values, or YAML files that people
// write. It knows nothing of HTTP; package loadsim plays scenarios.
//
// A file, with everything that may stand in it:
//
//	name: sale
//	about: One line for reports.
//	load:
//	  model: open          # open: arrivals do not wait for answers; closed: a number of shoppers, one thing at a time each
//	  per: request         # open: what the rate counts, request or session
//	  arrivals: poisson    # open: poisson or even
//	  rate: 200            # open: arrivals a second
//	  users: 100           # closed: shoppers at once
//	  duration: 2m         # instead of stages
//	  stages:              # levels are multiples of rate or users
//	    - {for: 30s, at: 1}
//	    - {for: 10s, to: 100}   # from the level before to this one
//	popularity:
//	  zipf: 1.0            # the k-th product is wanted 1/k^zipf as often as the first
//	  products: 1000       # how many products the shoppers know
//	  hot: 0.5             # of the views, this share goes to the hot product
//	  product: 42          # the hot product's id; the shop's most popular one when left out
//	think: 1s-3s           # before each request; closed model and sessions
//	good_within: 2s
//	patience: 8s           # an answer that takes longer makes a shopper leave
//	retry: {times: 2, longest: 10s}
//	doors: 20s             # what "wait: doors" waits for
//	shoppers:
//	  - kind: buyer
//	    weight: 3
//	    agent: some-bot/1  # User-Agent
//	    cookies: false     # keep none; default true
//	    steps:
//	      - browse: 20           # lists, searches, further pages
//	      - view: 3-8            # products
//	        of: hot              # hot, seen (in lists) or popular; default a mix of the latter two
//	      - leave: 30%           # so many end their session here
//	      - stock: 1             # ask for the stock of a product
//	      - add: 1-5             # viewed products into the cart, or the hot one with "of: hot"
//	      - checkout: 1
//	      - pause: 5s-20s
//	      - wait: doors          # look at the hot product every few seconds (think) until the doors open
//	      - crawl: 10            # lists in order, each product in them
//	      - get: /               # any page that answers 200
package scenario

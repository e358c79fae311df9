// Package warming is an API process's part in warm caches: what shoppers ask for, what the catalogue, campaigns and a learnt predictor
// say they will ask for, and the tiers it is brought into, here and at the edges.
package warming

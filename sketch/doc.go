// Package sketch counts streams in fixed memory: how often a key was seen ([CountMin]), which keys are seen most
// ([TopK]), which are seen most of late ([DecayedTopK]), and how many distinct ones there were ([HyperLogLog]). Answers are estimates with stated bounds.
//
// Use it where the number of distinct keys has no bound and an exact map would grow with it. Nothing here is safe for
// concurrent use; whoever shares a sketch guards it.
package sketch

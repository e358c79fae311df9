// Package usl fits the Universal Scalability Law (N. J. Gunther, 1993; as a law of throughput, 2007) to measurements of a
// system's capacity, and says what it predicts.
//
//	X(n) = λ n / (1 + σ (n−1) + κ n (n−1))
//
// n is the number of instances (or of cores, or of callers), X the throughput they reach together. λ is what one of them
// reaches alone; σ (contention) is the share of the work that only one can do at a time; κ (coherency) is what each pair
// of them costs to keep in agreement. With κ = 0 it is Amdahl's law, with σ = 0 as well it is proportionality. With κ > 0
// there is a number of instances beyond which more of them reach less.
//
// # What it promises
//
//   - [Fit] finds the least squares over λ > 0, σ ≥ 0, κ ≥ 0: by Levenberg–Marquardt steps on the law itself, not on a
//     transformed parabola that would weigh large n more, once for each choice of parameters that are held at zero.
//   - It says how sure it is: intervals from a bootstrap of the residuals, the same for the same seed.
//   - Nothing is measured here, and nothing else imported than the standard library.
//
// # When not to use it
//
// To predict far beyond what was measured: the intervals say how the measurements scatter, not whether the law goes on to
// hold. When the load was not the same at each n, or something outside was full: then λ is not a property of an instance.
// And when throughput grows faster than n, which the law has no place for (caches that grow with n do that): the fit then
// has σ = κ = 0 and a bad [Result.R2].
package usl

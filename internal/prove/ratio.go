package prove

import (
	"math"

	"github.com/stampede-shop/stampede/usl"
)

// student are the 97.5th percentiles of Student's t with 1, 2, 3 … degrees of freedom. With more than there are here, the last is a
// little too wide, which is the safe side.
var student = [...]float64{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120}

// ratio is the rate of eight over eight times that of one as it was measured, without a law, and the interval that holds it with 95 %
// certainty. Rates of a number scatter by factors, so it is logarithms that are compared; the scatter is taken for the same whatever the
// number, as two or three measurements of each cannot tell (t interval with pooled variance). Without two measurements of any number, or
// none of one or of eight, nothing is certain.
func (s *Scaling) ratio() (mean float64, between *usl.Interval) {
	logs := map[int][]float64{}
	for _, p := range s.Points {
		logs[int(p.N)] = append(logs[int(p.N)], math.Log(p.Throughput/p.N))
	}
	one, eight := logs[1], logs[mostInstances]
	if len(one) == 0 || len(eight) == 0 {
		return 0, nil
	}
	off := meanOf(eight) - meanOf(one)
	var squares float64
	for _, list := range logs {
		for _, v := range list {
			squares += (v - meanOf(list)) * (v - meanOf(list))
		}
	}
	free := len(s.Points) - len(logs)
	if free < 1 || math.IsInf(squares, 0) || math.IsNaN(squares) {
		return math.Exp(off), nil
	}
	scatter := math.Sqrt(squares / float64(free) * (1/float64(len(one)) + 1/float64(len(eight))))
	reach := student[min(free, len(student))-1] * scatter
	return math.Exp(off), &usl.Interval{Low: math.Exp(off - reach), High: math.Exp(off + reach)}
}

func meanOf(list []float64) (mean float64) {
	for _, v := range list {
		mean += v / float64(len(list))
	}
	return mean
}

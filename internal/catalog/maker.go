package catalog

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
)

// maker writes the texts and figures of one product.
type maker struct {
	rng                                           *rand.Rand
	leaf                                          *leaf
	noun, material, colour, quality, brand, model string
}

// modelName is a series and a number, such as "Aero 300".
func (m *maker) modelName() string {
	return pick(m.rng, series) + " " + strconv.Itoa((1+m.rng.IntN(40))*25)
}

func (m *maker) name() string {
	switch m.rng.IntN(4) {
	case 0:
		return m.brand + " " + m.model + " " + m.noun + " - " + title(m.colour)
	case 1:
		return m.brand + " " + title(m.quality) + " " + title(m.material) + " " + m.noun
	case 2:
		return m.brand + " " + m.model + " " + title(m.quality) + " " + m.noun
	default:
		return m.brand + " " + title(m.colour) + " " + m.noun + " " + m.model
	}
}

func (m *maker) description() string {
	var b strings.Builder
	b.Grow(280)
	b.WriteString("A ")
	b.WriteString(m.quality)
	b.WriteByte(' ')
	b.WriteString(strings.ToLower(m.noun))
	b.WriteString(" by ")
	b.WriteString(m.brand)
	b.WriteString(" in ")
	b.WriteString(m.colour)
	b.WriteString(", made of ")
	b.WriteString(m.material)
	b.WriteString(". ")
	first := m.rng.IntN(len(benefits))
	b.WriteString(benefits[first])
	b.WriteByte(' ')
	b.WriteString(benefits[(first+1+m.rng.IntN(len(benefits)-1))%len(benefits)])
	b.WriteByte(' ')
	b.WriteString(pick(m.rng, closings))
	return b.String()
}

// price is log-normal about the category's median, at most 50 times of it either way, and ends as shop prices do.
func (m *maker) price() int64 {
	factor := math.Exp(m.rng.NormFloat64() * 0.7)
	cents := m.leaf.median * min(50, max(0.02, factor))
	whole := max(1, math.Round(cents/100))
	switch m.rng.IntN(10) {
	case 0:
		return int64(whole) * 100
	case 1, 2:
		return int64(whole)*100 - 5
	case 3:
		return int64(whole)*100 - 50
	default:
		return int64(whole)*100 - 1
	}
}

// rating leans to the good side, as ratings do; in tenths.
func (m *maker) rating() float64 {
	r := 4.3 + m.rng.NormFloat64()*0.5
	if r > 5 {
		r = 5 - (r - 5)
	}
	return math.Round(min(5, max(1, r))*10) / 10
}

func (m *maker) attributes() json.RawMessage {
	b := make([]byte, 0, 128)
	b = append(b, `{"colour":"`...)
	b = append(b, m.colour...)
	b = append(b, `","material":"`...)
	b = append(b, m.material...)
	if strings.HasPrefix(m.leaf.path, "Clothing") {
		b = append(b, `","size":"`...)
		b = append(b, pick(m.rng, sizes)...)
	}
	b = append(b, `","weight_g":`...)
	b = strconv.AppendInt(b, 20+int64(m.rng.ExpFloat64()*900), 10)
	b = append(b, `,"warranty_years":`...)
	b = strconv.AppendInt(b, int64(1+m.rng.IntN(5)), 10)
	return append(b, '}')
}

// title gives each word a capital letter.
func title(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' && (i == 0 || b[i-1] == ' ' || b[i-1] == '-') {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

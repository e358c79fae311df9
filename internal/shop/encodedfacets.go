package shop

import (
	"bytes"
	"context"
	"encoding/json"
)

// EncodedFacets are counts with their JSON, made once.
type EncodedFacets struct {
	Facets  Facets
	Derived Derived

	line []byte
}

// EncodeFacets makes the JSON of counts.
func EncodeFacets(f Facets) (*EncodedFacets, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(f)
	return &EncodedFacets{Facets: f, line: b.Bytes()}, err
}

// Line is the JSON with a newline at its end.
func (e *EncodedFacets) Line() []byte { return e.line }

// Weight is about how many bytes it takes in memory.
func (e *EncodedFacets) Weight() int { return productOverhead + 2*len(e.line) }

// MarshalBinary gives the JSON, as that of a product does.
func (e *EncodedFacets) MarshalBinary() ([]byte, error) { return e.line, nil }

// UnmarshalBinary is the inverse of MarshalBinary. It keeps data.
func (e *EncodedFacets) UnmarshalBinary(data []byte) error {
	e.line = data
	return json.Unmarshal(data, &e.Facets)
}

// EncodedFacetReader is a FacetReader whose counts come with their JSON.
type EncodedFacetReader interface {
	EncodedFacets(ctx context.Context, q ProductQuery) (*EncodedFacets, error)
}

// EncodingFacets is r itself when it keeps counts encoded, or else one that encodes what r reads, each time.
func EncodingFacets(r FacetReader) EncodedFacetReader {
	if e, ok := r.(EncodedFacetReader); ok {
		return e
	}
	return facetEncoding{r}
}

type facetEncoding struct{ r FacetReader }

func (e facetEncoding) EncodedFacets(ctx context.Context, q ProductQuery) (*EncodedFacets, error) {
	f, err := e.r.Facets(ctx, q)
	if err != nil {
		return nil, err
	}
	return EncodeFacets(f)
}

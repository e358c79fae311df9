package web

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/stampede-shop/stampede/internal/shop"
)

// sample makes n plausible products over a few categories, some with pictures, some sold out or nearly.
func sample(n int) []shop.Product {
	cats := []string{"Kitchen/Pots & Pans", "Garden/Tools", "Toys", "Kitchen/Knives", "Office/Paper"}
	nouns := []string{"Copper saucepan", "Garden trowel", "Wooden train", "Bread knife", "Dotted notebook"}
	out := make([]shop.Product, n)
	for i := range out {
		p := shop.Product{ID: int64(i + 1), SKU: fmt.Sprintf("S-%04d", i+1), Name: fmt.Sprintf("%s no. %d", nouns[i%5], i+1),
			Brand: "Hearth & Co", Category: cats[i%5], Price: int64(499 + 731*i), Currency: "USD", Version: 1, Availability: shop.InStock,
			Rating: 3.5 + float64(i%4)/2, RatingCount: int64(i * 3), Description: "Well made, and made to be used every day.",
			Attributes: json.RawMessage(`{"colour":"rust","weight_g":420,"tags":["gift","new"],"washable":true}`)}
		p.Slug = strings.ReplaceAll(strings.ToLower(nouns[i%5]), " ", "-") + "-no-" + strconv.Itoa(i+1)
		if i%3 == 0 {
			p.ImageURL = fmt.Sprintf("https://pictures.example/%d.jpg", i+1)
		}
		if i%7 == 5 {
			p.Availability = shop.LowStock
		}
		if i%11 == 9 {
			p.Availability = shop.SoldOut
		}
		out[i] = p
	}
	return out
}

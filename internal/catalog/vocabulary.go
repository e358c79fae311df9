package catalog

import "strings"

var (
	colours = strings.Fields("black white grey silver charcoal navy blue teal turquoise green olive mint yellow mustard orange " +
		"coral red burgundy pink rose purple lavender brown tan beige cream gold copper bronze ivory")
	qualities = strings.Fields("compact lightweight durable premium classic modern portable waterproof foldable ergonomic slim " +
		"rugged handmade vintage minimalist heavy-duty everyday adjustable reusable quiet soft sturdy elegant colourful " +
		"professional insulated breathable organic wireless eco-friendly")
	series = strings.Fields("Aero Apex Arc Atlas Aura Bolt Breeze Cirrus Core Crest Delta Drift Echo Edge Element Ember Epic Flex " +
		"Flux Fusion Glide Halo Horizon Icon Impulse Ion Jet Kinetic Legacy Luma Lux Matrix Meridian Metro Motion Nova Nomad " +
		"Oasis Onyx Orbit Origin Peak Pioneer Prime Pulse Quest Rapid Ridge Rise Rover Sierra Signal Solo Spark Spirit Summit " +
		"Swift Terra Titan Trail Trek Unity Vector Venture Vertex Vista Vivid Wave Zen Zenith")
	sizes      = strings.Fields("XS S M L XL XXL")
	brandHeads = strings.Fields("Alto Bel Bran Cal Cor Dal Dor Eld Fal Fen Gal Gren Hal Hart Ivo Jor Kel Kin Lan Lor Mar Mel Nor " +
		"Oak Orl Pel Quin Ral Ros Sal Sten Tal Thor Ul Val Ven Wes Wil Yar Zel")
	brandTails = strings.Fields("a ado an ara bay berg by croft da den dale er field ford ham ia in ix ley lin mark mere mont " +
		"more na nor o ora rick ro son sted ton tone vale vik well wick wood worth")
	brandKinds = strings.Fields("Labs Works Studio House Goods Supply Bros Collective")
	benefits   = []string{
		"Thought through to the last detail and easy to look after.",
		"Tested for years of daily use, at home and on the road.",
		"The simple shape fits anywhere and never goes out of style.",
		"Ready to use out of the box, with no tools needed.",
		"Saves space when you do not need it and is at hand when you do.",
		"A favourite with families, students and professionals alike.",
		"Carefully finished edges feel good in the hand.",
		"Reliable in heat, cold and rain.",
		"Makes a welcome gift for birthdays and housewarmings.",
		"Developed with customers who wanted something better.",
		"Works well together with the other pieces of the range.",
		"Quick to clean: a damp cloth is enough.",
		"Balanced weight keeps it comfortable for hours.",
		"Produced in small batches and checked one by one.",
		"Strong where it matters and light everywhere else.",
		"Spare parts are available for at least ten years.",
	}
	closings = []string{
		"Packed without plastic.", "Free returns within thirty days.", "Instructions included.", "Designed in Europe.",
		"Recyclable packaging.", "Batteries not required.", "Also available in other colours.", "Ships in one box.",
		"Award winner of its class.", "Comes with a storage bag.",
	}
)

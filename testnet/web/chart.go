package web

import (
	"fmt"
	"strings"
)

// chart is how the segments were over time: paths of areas in a drawing of Width by
// Height, one upon the other, and what they show in words.
type chart struct {
	Width, Height     int
	Whole, Less, Risk string
	Words             string
	Empty             bool
}

const (
	chartWidth  = samples
	chartHeight = 100
)

// draw makes the chart: at each moment the height is all segments; from below those
// with all their shards, those with fewer, and those that can lose few more.
func draw(past []sample) chart {
	c := chart{Width: chartWidth, Height: chartHeight, Empty: true}
	var whole, less, least []float64 // upper edges
	worst := 0.0
	for _, s := range past {
		if s.segments == 0 {
			whole, less, least = append(whole, 0), append(less, 0), append(least, 0)
			continue
		}
		c.Empty = false
		all := float64(s.segments)
		whole, less, least = append(whole, float64(s.segments-s.below)/all), append(less, float64(s.segments-s.risk)/all), append(least, 1)
		worst = max(worst, float64(s.below)/all)
	}
	if c.Empty {
		return c
	}
	floor := make([]float64, len(past))
	c.Whole, c.Less, c.Risk = area(floor, whole), area(whole, less), area(less, least)
	c.Words = fmt.Sprintf("Of all segments, %.0f %% have all their shards now; at worst it was %.0f %%.", 100*whole[len(whole)-1], 100*(1-worst))
	return c
}

// area is the path between two edges, given from 0 to 1 upwards. The newest sample is
// at the right.
func area(low, high []float64) string {
	var b strings.Builder
	at := func(i int, edge []float64) {
		fmt.Fprintf(&b, "%d %.1f ", chartWidth-len(edge)+i+1, chartHeight*(1-edge[i]))
	}
	b.WriteString("M")
	for i := range high {
		at(i, high)
	}
	for i := len(low) - 1; i >= 0; i-- {
		at(i, low)
	}
	b.WriteString("Z")
	return b.String()
}

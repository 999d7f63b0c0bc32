package webpage

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// colours reads the variables of a block of the style sheet.
func colours(t *testing.T, block string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(block, -1) {
		found[m[1]] = m[2]
	}
	if len(found) < 14 {
		t.Fatalf("only %d colours", len(found))
	}
	return found
}

// luminance is WCAG 2's relative luminance.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	sum := 0.0
	for i, weight := range []float64{.2126, .7152, .0722} {
		v, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(v) / 255
		if c <= .04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

// What is written can be read, in light and in dark: WCAG 2's contrast of at least 4.5.
func TestContrast(t *testing.T) {
	sheet, err := assets.ReadFile("assets/style.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, found := strings.Cut(string(sheet), "@media (prefers-color-scheme: dark)")
	if !found {
		t.Fatal("no colours for the dark")
	}
	dark, _, _ = strings.Cut(dark, "* {")
	for name, block := range map[string]string{"light": light, "dark": dark} {
		c := colours(t, block)
		pairs := [][2]string{
			{"ink", "ground"}, {"ink", "sheet"}, {"soft", "ground"}, {"soft", "sheet"}, {"accent", "sheet"}, {"accent", "ground"}, {"sheet", "accent"}, {"bad", "ground"},
			{"good", "good-tint"}, {"watch", "watch-tint"}, {"bad", "bad-tint"}, {"still", "still-tint"},
		}
		for _, p := range pairs {
			a, b := luminance(t, c[p[0]]), luminance(t, c[p[1]])
			if ratio := (max(a, b) + .05) / (min(a, b) + .05); ratio < 4.5 {
				t.Errorf("%s: %s on %s: %.2f", name, p[0], p[1], ratio)
			}
		}
	}
}

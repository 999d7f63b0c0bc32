package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// units in the order in which a suffix is looked for: longer ones first.
var sizeUnits = []struct {
	suffix string
	factor float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40}, {"pib", 1 << 50},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12}, {"pb", 1e15},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"t", 1 << 40}, {"b", 1},
}

// parseSize reads a size as people write it: 500GB, 32MiB, 4096.
func parseSize(s string) (int64, error) {
	text, factor := strings.ToLower(strings.TrimSpace(s)), 1.0
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(text, u.suffix); ok {
			text, factor = strings.TrimSpace(rest), u.factor
			break
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n < 0 || math.IsInf(n, 0) || math.IsNaN(n) || n*factor >= math.MaxInt64 {
		return 0, usagef("not a size: %q (write 500GB or 32MiB)", s)
	}
	return int64(n * factor), nil
}

// formatSize prints a size with three digits or a little more.
func formatSize(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/1024, 0
	for f >= 1023.5 && i < len(units)-1 { // what would be printed as 1024
		f /= 1024
		i++
	}
	return fmt.Sprintf("%.*f %ciB", decimals(f), f, units[i])
}

func decimals(f float64) int {
	switch {
	case f < 9.995:
		return 2
	case f < 99.95:
		return 1
	}
	return 0
}

// parseSpan reads a duration as people write it: 30d, 12h, 2w, 90s, and what
// time.ParseDuration reads.
func parseSpan(s string) (time.Duration, error) {
	text := strings.ToLower(strings.TrimSpace(s))
	for suffix, unit := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "y": 365 * 24 * time.Hour} {
		rest, ok := strings.CutSuffix(text, suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(rest, 64)
		if err != nil || !(n >= 0) || n*float64(unit) >= math.MaxInt64 {
			return 0, usagef("not a duration: %q (write 30d or 12h)", s)
		}
		return time.Duration(n * float64(unit)), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, usagef("not a duration: %q (write 30d or 12h)", s)
	}
	return d, nil
}

// formatSpan prints a duration as a person would say it.
func formatSpan(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

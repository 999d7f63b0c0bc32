package main

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1, "4096": 4096, "1b": 1, "1k": 1024, "1K": 1024, "1kb": 1000, "1KiB": 1024, "500GB": 500_000_000_000, "500 GB": 500_000_000_000,
		"32MiB": 32 << 20, "32m": 32 << 20, "1.5GiB": 3 << 29, " 2TiB ": 2 << 40, "8tb": 8e12, "1pib": 1 << 50, "1PB": 1e15, "1g": 1 << 30, "1t": 1 << 40,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "lots", "GB", "-1", "1xb", "nan", "inf", "9223372036854775807", "10000pib", "1 2", "1,5GB"} {
		if got, err := parseSize(text); err == nil || explain(err).exit != exitUsage {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

func TestFormatSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.00 KiB", 10239: "10.0 KiB", 102400: "100 KiB", 1<<20 - 1: "1.00 MiB", 1 << 20: "1.00 MiB",
		477 << 20: "477 MiB", 20 << 30: "20.0 GiB", math.MaxInt64: "8.00 EiB",
	} {
		if got := formatSize(n); got != want {
			t.Errorf("%d: %s; want %s", n, got, want)
		}
	}
}

// Law: what is printed is read back as nearly the same size.
func TestSizesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, 1<<55).Draw(t, "n")
		got, err := parseSize(formatSize(n))
		if err != nil || math.Abs(float64(got-n)) > 0.006*float64(n) {
			t.Fatalf("%d -> %s -> %d, %v", n, formatSize(n), got, err)
		}
	})
}

func TestSpans(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"30d": 30 * day, "12h": 12 * time.Hour, "2w": 14 * day, "1y": 365 * day, "90s": 90 * time.Second, "1h30m": 90 * time.Minute, "1.5D": 36 * time.Hour, "0": 0,
	} {
		if got, err := parseSpan(text); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "-1d", "-5s", "30", "1x", "1000000y", "nand"} {
		if got, err := parseSpan(text); err == nil || explain(err).exit != exitUsage {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for d, want := range map[time.Duration]string{
		5 * time.Millisecond: "5 ms", 1500 * time.Millisecond: "1.5s", 90 * time.Second: "1m30s", 25 * time.Hour: "25h00m", 72 * time.Hour: "3d",
	} {
		if got := formatSpan(d); got != want {
			t.Errorf("%v: %s; want %s", d, got, want)
		}
	}
}

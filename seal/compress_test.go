package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"
)

func randomBytes(seed byte, n int) []byte {
	p := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(p)
	return p
}

// textBytes is n bytes that compress about as prose does.
func textBytes(seed byte, n int) []byte {
	r := rand.New(rand.NewChaCha8([32]byte{seed}))
	words := make([]string, 2000)
	for i := range words {
		words[i] = fmt.Sprintf("%x", r.Uint64()>>(4*r.IntN(14)))
	}
	var b bytes.Buffer
	for b.Len() < n {
		b.WriteString(words[int(r.ExpFloat64()*200)%len(words)])
		b.WriteByte(" \n\t;"[min(3, int(r.ExpFloat64()))])
	}
	return b.Bytes()[:n]
}

// drawChunk draws the plaintext of a chunk: random, text, zeros, or a mixture.
func drawChunk(t *rapid.T, most int) []byte {
	n := rapid.IntRange(1, most).Draw(t, "length")
	seed := rapid.Byte().Draw(t, "seed")
	switch rapid.IntRange(0, 3).Draw(t, "sort") {
	case 0:
		return randomBytes(seed, n)
	case 1:
		return textBytes(seed, n)
	case 2:
		return make([]byte, n)
	}
	p := textBytes(seed, n)
	copy(p[n/2:], randomBytes(seed, n-n/2))
	return p
}

func TestCompressionLaws(t *testing.T) {
	var scratch, out []byte
	rapid.Check(t, func(t *rapid.T) {
		plain := drawChunk(t, 300<<10)
		before := bytes.Clone(plain)
		stored, coding := Compress(scratch, plain)
		if coding == Zstd {
			scratch = stored
		}
		if !bytes.Equal(plain, before) {
			t.Fatal("the plaintext was changed")
		}
		if len(stored) > len(plain) || coding == Zstd && len(stored) == len(plain) {
			t.Fatalf("%d bytes grew to %d", len(plain), len(stored))
		}
		if coding == Plain && !bytes.Equal(stored, plain) {
			t.Fatal("plain is not the plaintext")
		}
		var err error
		if out, err = Expand(out, stored, coding, len(plain)); err != nil || !bytes.Equal(out, plain) {
			t.Fatalf("%v, or not the plaintext", err)
		}
		for _, size := range []int{len(plain) - 1, len(plain) + 1, 0, -1, MaxChunk + 1} {
			if _, err := Expand(nil, stored, coding, size); !errors.Is(err, ErrChunk) {
				t.Fatalf("%d bytes expand to %d: %v", len(plain), size, err)
			}
		}
	})
}

func TestWhatIsCompressed(t *testing.T) {
	mixed := append(randomBytes(1, 500<<10), textBytes(1, 500<<10)...)
	for name, c := range map[string]struct {
		plain []byte
		want  Coding
		most  int
	}{
		"text":              {textBytes(1, 800<<10), Zstd, 500 << 10},
		"short text":        {textBytes(1, 1000), Zstd, 900},
		"zeros":             {make([]byte, MaxChunk), Zstd, 1 << 10},
		"random":            {randomBytes(1, 800<<10), Plain, 800 << 10},
		"short random":      {randomBytes(1, 1000), Plain, 1000},
		"hexadecimal":       {[]byte(hex.EncodeToString(randomBytes(1, 400<<10))), Zstd, 450 << 10},
		"base64":            {[]byte(base64.StdEncoding.EncodeToString(randomBytes(1, 600<<10))), Zstd, 650 << 10},
		"half random":       {mixed, Zstd, 900 << 10},
		"repeated random":   {bytes.Repeat(randomBytes(3, 1000), 800), Zstd, 100 << 10},
		"one byte":          {[]byte{1}, Plain, 1},
		"nothing":           {nil, Plain, 0},
		"largest chunk":     {randomBytes(2, MaxChunk), Plain, MaxChunk},
		"more than a chunk": {make([]byte, MaxChunk+1), Plain, MaxChunk + 1},
	} {
		stored, coding := Compress(nil, c.plain)
		if coding != c.want || len(stored) > c.most {
			t.Errorf("%s: %v, %d bytes from %d", name, coding, len(stored), len(c.plain))
		}
	}
}

// Counting bytes tells text from random bytes, and says nothing of what repeats.
func TestUneven(t *testing.T) {
	for name, c := range map[string]struct {
		plain []byte
		want  bool
	}{
		"text":            {textBytes(1, 100<<10), true},
		"zeros":           {make([]byte, 100<<10), true},
		"hexadecimal":     {[]byte(hex.EncodeToString(randomBytes(1, 40<<10))), true},
		"base64":          {[]byte(base64.StdEncoding.EncodeToString(randomBytes(1, 60<<10))), true},
		"random":          {randomBytes(1, 100<<10), false},
		"repeated random": {bytes.Repeat(randomBytes(3, 3000), 50), false},
	} {
		if uneven(c.plain) != c.want {
			t.Errorf("%s: %v", name, !c.want)
		}
	}
}

// TestCompressUsesItsBuffer promises that a caller who keeps dst allocates nothing.
func TestCompressUsesItsBuffer(t *testing.T) {
	text, noise := textBytes(1, 600<<10), randomBytes(1, 600<<10)
	dst, out := make([]byte, 0, MaxChunk), make([]byte, 0, MaxChunk)
	n := testing.AllocsPerRun(20, func() {
		stored, coding := Compress(dst, text)
		if coding != Zstd || &stored[0] != &dst[:1][0] {
			t.Error("the frame is not in dst")
		}
		plain, err := Expand(out, stored, coding, len(text))
		if err != nil || &plain[0] != &out[:1][0] {
			t.Error("the plaintext is not in dst")
		}
		Compress(dst, noise)
	})
	if n > 1 && !raceDetector { // the pools may be emptied by a garbage collection
		t.Errorf("%v allocations", n)
	}
}

// frame compresses by hand, with options that a foreign writer might use.
func frame(t testing.TB, plain []byte, options ...zstd.EOption) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil, options...)
	if err != nil {
		t.Fatal(err)
	}
	return e.EncodeAll(plain, nil)
}

// stream compresses without knowing the size.
func stream(t testing.TB, plain []byte, options ...zstd.EOption) []byte {
	t.Helper()
	var b bytes.Buffer
	e, err := zstd.NewWriter(&b, options...)
	if err != nil {
		t.Fatal(err)
	}
	half := len(plain) / 2
	for _, p := range [][]byte{plain[:half], plain[half:]} {
		if _, err := e.Write(p); err != nil {
			t.Fatal(err)
		}
		if err := e.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestForeignFrames(t *testing.T) {
	plain := textBytes(3, 100<<10)
	good := frame(t, plain)
	empty := frame(t, nil, zstd.WithZeroFrames(true))
	skippable := []byte{0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4}
	for name, c := range map[string]struct {
		stored []byte
		ok     bool
	}{
		"with checksum":       {good, true},
		"better":              {frame(t, plain, zstd.WithEncoderLevel(zstd.SpeedBetterCompression)), true},
		"with window":         {frame(t, plain, zstd.WithSingleSegment(false), zstd.WithWindowSize(MaxChunk)), true},
		"window too large":    {frame(t, plain, zstd.WithSingleSegment(false), zstd.WithWindowSize(2*MaxChunk)), true}, // the writer takes no more than it needs
		"no content size":     {stream(t, plain), false},
		"wrong checksum":      {append(bytes.Clone(good[:len(good)-1]), good[len(good)-1]^1), false},
		"two frames":          {append(frame(t, plain[:50<<10]), frame(t, plain[50<<10:])...), false},
		"and an empty one":    {append(bytes.Clone(good), empty...), false},
		"and a skippable one": {append(bytes.Clone(good), skippable...), false},
		"skippable first":     {append(bytes.Clone(skippable), good...), false},
		"and a byte":          {append(bytes.Clone(good), 0), false},
		"one byte less":       {good[:len(good)-1], false},
		"magic":               {good[:4], false},
		"empty":               {nil, false},
		"plain":               {plain, false},
		"raw dictionary":      {frame(t, plain, zstd.WithEncoderDictRaw(7, plain[:1000])), false},
	} {
		got, err := Expand(nil, c.stored, Zstd, len(plain))
		switch {
		case c.ok && (err != nil || !bytes.Equal(got, plain)):
			t.Errorf("%s: %v", name, err)
		case !c.ok && !errors.Is(err, ErrChunk):
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Expand(nil, plain, Coding(2), len(plain)); !errors.Is(err, ErrChunk) {
		t.Errorf("coding 2: %v", err)
	}
	if _, err := Expand(nil, make([]byte, MaxChunk+1), Zstd, 10); !errors.Is(err, ErrChunk) {
		t.Errorf("stored bytes above the limit: %v", err)
	}
}

// TestExpandIsBounded expands frames that want much more than they may have.
func TestExpandIsBounded(t *testing.T) {
	bomb := frame(t, make([]byte, 1<<28)) // 256 MiB in a few KB
	window := bytes.Clone(frame(t, textBytes(1, 5000), zstd.WithSingleSegment(false)))
	window[5] = 0xff // the largest window that can be written
	for name, p := range map[string][]byte{"bomb": bomb, "window": window} {
		for _, size := range []int{1, 1000, 5000, MaxChunk} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			out, err := Expand(nil, p, Zstd, size)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, ErrChunk) || out != nil {
				t.Errorf("%s, %d: %d bytes and %v", name, size, len(out), err)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 4*MaxChunk {
				t.Errorf("%s, %d: %d bytes allocated", name, size, n)
			}
		}
	}
}

// TestLyingContentSize has frames whose blocks hold more or less than the header
// says: the decoder must stop, and touch nothing behind its room.
func TestLyingContentSize(t *testing.T) {
	plain := textBytes(5, 200<<10)
	p := frame(t, plain, zstd.WithSingleSegment(true), zstd.WithEncoderCRC(false))
	for _, size := range []int{65536 + 256, 100 << 10, len(plain) - 1, len(plain) + 1, MaxChunk} {
		lie := bytes.Clone(p)
		for i := range 4 { // 4-byte content size, behind magic and descriptor
			lie[5+i] = byte(size >> (8 * i))
		}
		room := bytes.Repeat([]byte{0xa5}, MaxChunk+2*slack)
		if _, err := Expand(room, lie, Zstd, size); !errors.Is(err, ErrChunk) {
			t.Errorf("%d bytes announced as %d: %v", len(plain), size, err)
		}
		for i := size + slack; i < len(room); i++ {
			if room[i] != 0xa5 {
				t.Fatalf("announced as %d: byte %d was written", size, i)
			}
		}
	}
}

func FuzzExpand(f *testing.F) {
	for _, plain := range [][]byte{{1}, textBytes(1, 100), textBytes(1, 5000), make([]byte, 100000), randomBytes(1, 300)} {
		f.Add(frame(f, plain), byte(Zstd), uint32(len(plain)))
		f.Add(stream(f, plain), byte(Zstd), uint32(len(plain)))
		f.Add(plain, byte(Plain), uint32(len(plain)))
	}
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0x40, 0, 3, 0, 0, 2, 0}, byte(Zstd), uint32(MaxChunk))
	f.Fuzz(func(t *testing.T, stored []byte, coding byte, size uint32) {
		n := int(min(size, MaxChunk+1))
		room := bytes.Repeat([]byte{0xa5}, n+64)
		out, err := Expand(room, stored, Coding(coding), n)
		if err != nil {
			if !errors.Is(err, ErrChunk) || out != nil {
				t.Fatalf("error %v", err)
			}
		} else if len(out) != n {
			t.Fatalf("%d bytes instead of %d", len(out), n)
		}
		for _, b := range room[n+slack:] {
			if b != 0xa5 {
				t.Fatal("wrote behind its room")
			}
		}
	})
}

func TestCompressFromManyGoroutines(t *testing.T) {
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			plain := textBytes(byte(g), 50000+g)
			var dst, out []byte
			for range 50 {
				stored, coding := Compress(dst, plain)
				var err error
				if out, err = Expand(out, stored, coding, len(plain)); err != nil || !bytes.Equal(out, plain) {
					t.Errorf("%v, or not the plaintext", err)
				}
				dst = stored
			}
		})
	}
	wg.Wait()
}

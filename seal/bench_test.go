package seal

import (
	"bytes"
	"testing"
)

const benchChunk = 800 << 10

func BenchmarkCompress(b *testing.B) {
	dst := make([]byte, 0, MaxChunk)
	for name, p := range map[string][]byte{"random": randomBytes(1, benchChunk), "text": textBytes(1, benchChunk)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(benchChunk)
			b.ReportAllocs()
			for b.Loop() {
				Compress(dst, p)
			}
		})
	}
}

func BenchmarkExpand(b *testing.B) {
	stored, coding := Compress(nil, textBytes(1, benchChunk))
	dst := make([]byte, 0, MaxChunk)
	b.SetBytes(benchChunk)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Expand(dst, stored, coding, benchChunk); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkID(b *testing.B) {
	for name, n := range map[string]int{"1KiB": 1 << 10, "chunk": benchChunk} {
		p := randomBytes(1, n)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				testKeys.ID(KindData, p)
			}
		})
	}
}

// BenchmarkSection seals a full data segment, and reads it again, chunk by chunk.
func BenchmarkSection(b *testing.B) {
	id := testIdentity(b, 1)
	chunk := randomBytes(1, benchChunk)
	row := Row{Plain: benchChunk}
	buf := bytes.NewBuffer(make([]byte, 0, 32<<20))
	seal := func(b *testing.B) []Row {
		buf.Reset()
		w, err := NewSectionWriter(buf, TargetSize(4), id.Recipient())
		if err != nil {
			b.Fatal(err)
		}
		for w.Fits(benchChunk) {
			if _, err := w.Add(row, chunk); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := w.Close(true); err != nil {
			b.Fatal(err)
		}
		return w.Rows()
	}
	rows := seal(b)
	b.Run("read", func(b *testing.B) {
		s := openSection(b, buf.Bytes(), id)
		dst := make([]byte, benchChunk)
		b.SetBytes(int64(len(rows)) * benchChunk)
		b.ReportAllocs()
		for b.Loop() {
			for _, r := range rows {
				if _, err := s.ReadChunk(dst, r); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("seal", func(b *testing.B) {
		b.SetBytes(TargetSize(4))
		b.ReportAllocs()
		for b.Loop() {
			seal(b)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	id := testIdentity(b, 1)
	sealed, err := SealBytes(make([]byte, 1000), id.Recipient())
	if err != nil {
		b.Fatal(err)
	}
	key := func() FileKey {
		s := openSection(b, sealed, id)
		return s.FileKey()
	}()
	b.Run("identity", func(b *testing.B) {
		for b.Loop() {
			openSection(b, sealed, id)
		}
	})
	b.Run("file key", func(b *testing.B) {
		for b.Loop() {
			if _, err := OpenSectionWithKey(bytes.NewReader(sealed), int64(len(sealed)), key); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("seal 1 KB", func(b *testing.B) {
		to := id.Recipient()
		for b.Loop() {
			if _, err := SealBytes(sealed[:1000], to); err != nil {
				b.Fatal(err)
			}
		}
	})
}

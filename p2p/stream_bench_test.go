package p2p

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"
)

// BenchmarkStream moves rows of 8 MiB over the channel, in pieces of 256 KiB, from one
// host to one or to eight: what every byte between client and nodes costs. Both ends
// are in this process; on Unix it says how much CPU a GB takes of both together.
func BenchmarkStream(b *testing.B) {
	for _, n := range []int{1, 8} {
		b.Run(fmt.Sprintf("write/%d", n), func(b *testing.B) { benchmarkStream(b, n, writeRow) })
		b.Run(fmt.Sprintf("read/%d", n), func(b *testing.B) { benchmarkStream(b, n, readRow) })
	}
}

const (
	benchRow   = 8 << 20
	benchPiece = 256 << 10
)

func benchmarkStream(b *testing.B, n int, transfer func(Stream, []byte) error) {
	client := build(b, asClient(), withNetwork(testNetwork))
	var streams []Stream
	for range n {
		node := build(b)
		node.Handle("bench/1", serveRows)
		if err := client.Learn(node.ID(), node.Addrs()); err != nil {
			b.Fatal(err)
		}
		s, err := client.Open(b.Context(), node.ID(), "bench/1")
		if err != nil {
			b.Fatal(err)
		}
		defer s.Reset()
		streams = append(streams, s)
	}
	b.SetBytes(int64(n) * benchRow)
	b.ReportAllocs()
	cpu := ownCPU()
	for b.Loop() {
		var g sync.WaitGroup
		for _, s := range streams {
			g.Go(func() {
				if err := transfer(s, make([]byte, benchPiece)); err != nil {
					b.Error(err)
				}
			})
		}
		g.Wait()
	}
	if used := ownCPU() - cpu; used > 0 {
		b.ReportMetric(used/(float64(b.N)*float64(n)*benchRow/1e9), "cpu-s/GB")
	}
}

// serveRows takes a row after 'w', and gives one after 'r'.
func serveRows(_ context.Context, s Stream) {
	what, piece := make([]byte, 1), make([]byte, benchPiece)
	for {
		until := time.Now().Add(time.Minute)
		if s.SetReadDeadline(until) != nil || s.SetWriteDeadline(until) != nil {
			return
		}
		if _, err := io.ReadFull(s, what); err != nil {
			return
		}
		var err error
		if what[0] == 'r' {
			err = giveRow(s, piece)
		} else if err = takeRow(s, piece); err == nil {
			_, err = s.Write(what)
		}
		if err != nil {
			return
		}
	}
}

func writeRow(s Stream, piece []byte) error {
	if _, err := s.Write([]byte{'w'}); err != nil {
		return err
	}
	if err := giveRow(s, piece); err != nil {
		return err
	}
	_, err := io.ReadFull(s, piece[:1])
	return err
}

func readRow(s Stream, piece []byte) error {
	if _, err := s.Write([]byte{'r'}); err != nil {
		return err
	}
	return takeRow(s, piece)
}

func giveRow(s Stream, piece []byte) error {
	for range benchRow / benchPiece {
		if _, err := s.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

func takeRow(s Stream, piece []byte) error {
	for left := benchRow; left > 0; {
		n, err := s.Read(piece[:min(left, benchPiece)])
		if left -= n; err != nil && left > 0 {
			return err
		}
	}
	return nil
}

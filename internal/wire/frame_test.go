package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func readFrame(s string, limit int) ([]byte, error) {
	return ReadFrame(bufio.NewReader(strings.NewReader(s)), limit)
}

// Frames come back one by one, however slowly the stream delivers them.
func TestFramesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		payloads := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 300), 0, 5).Draw(t, "payloads")
		var stream bytes.Buffer
		for _, p := range payloads {
			if err := WriteFrame(&stream, p); err != nil {
				t.Fatal(err)
			}
		}
		slow := rapid.SampledFrom([]func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader}).Draw(t, "reader")
		r := bufio.NewReader(slow(&stream))
		for _, want := range payloads {
			got, err := ReadFrame(r, len(want))
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%x, %v; want %x", got, err, want)
			}
		}
		if _, err := ReadFrame(r, 0); err != io.EOF {
			t.Fatalf("at the end: %v", err)
		}
	})
}

// A large frame over a pipe whose other end writes whenever it likes.
func TestReadFrameFromPipe(t *testing.T) {
	want := bytes.Repeat([]byte("holdfast"), 1<<16)
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		frame := AppendFrame(nil, want)
		for step := 1; len(frame) > 0; step = step*3%70001 + 1 {
			n := min(step, len(frame))
			if _, err := w.Write(frame[:n]); err != nil {
				done <- err
				return
			}
			frame = frame[n:]
		}
		done <- w.Close()
	}()
	got, err := ReadFrame(bufio.NewReader(r), len(want))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestReadFrameLengths(t *testing.T) {
	for _, c := range []struct {
		what, in string
		limit    int
		err      error
	}{
		{"empty frame", "\x00", 0, nil},
		{"at the limit", "\x03abc", 3, nil},
		{"above the limit", "\x04abcd", 3, ErrTooLong},
		{"a limit below zero", "\x01a", -1, ErrTooLong},
		{"two bytes of length", "\x80\x01" + strings.Repeat("a", 128), 128, nil},
		{"0 in two bytes", "\x80\x00", 9, ErrMalformed},
		{"1 in two bytes", "\x81\x00a", 9, ErrMalformed},
		{"1 in five bytes", "\x81\x80\x80\x80\x00a", 9, ErrMalformed},
		{"six bytes", "\x81\x80\x80\x80\x80\x01", 9, ErrMalformed},
		{"six bytes of 0xff", strings.Repeat("\xff", 10), math.MaxInt, ErrMalformed},
		{"five bytes, the greatest", "\xff\xff\xff\xff\x7f", 1 << 20, ErrTooLong},
		{"nothing", "", 9, io.EOF},
		{"half a length", "\x80", 9, io.ErrUnexpectedEOF},
		{"no payload", "\x01", 9, io.ErrUnexpectedEOF},
		{"half a payload", "\x04ab", 9, io.ErrUnexpectedEOF},
	} {
		if _, err := readFrame(c.in, c.limit); !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: %v; want %v", c.what, err, c.err)
		}
	}
}

// A frame that announces 32 GiB costs no more memory than what arrives.
func TestReadFrameMemoryGrowsWithWhatArrives(t *testing.T) {
	for _, sent := range []int{0, 1 << 10, 1 << 20} {
		in := "\xff\xff\xff\xff\x7f" + strings.Repeat("a", sent)
		used := allocated(func() {
			if _, err := readFrame(in, math.MaxInt); err != io.ErrUnexpectedEOF {
				t.Error(err)
			}
		})
		if limit := uint64(6*sent + 256<<10); used > limit {
			t.Errorf("%d bytes sent: %d bytes allocated", sent, used)
		}
	}
}

func TestReadFramePassesErrorsOn(t *testing.T) {
	broken := errors.New("cable pulled")
	for _, sent := range []string{"", "\x80", "\x04a"} {
		r := bufio.NewReader(io.MultiReader(strings.NewReader(sent), iotest.ErrReader(broken)))
		if _, err := ReadFrame(r, 9); !errors.Is(err, broken) {
			t.Errorf("%q: %v", sent, err)
		}
	}
}

// callCounter counts calls of Write, each of which may be a packet.
type callCounter struct{ calls int }

func (c *callCounter) Write(p []byte) (int, error) { c.calls++; return len(p), nil }

func TestWriteFrameWritesOnce(t *testing.T) {
	var c callCounter
	if err := WriteFrame(&c, make([]byte, 1<<20)); err != nil || c.calls != 1 {
		t.Errorf("%d calls, %v", c.calls, err)
	}
}

func TestSendAndReceive(t *testing.T) {
	var stream bytes.Buffer
	want := child{Name: []byte("a"), Size: 5}
	if err := Send(&stream, want); err != nil {
		t.Fatal(err)
	}
	if err := Send(&stream, 1.5); err == nil || stream.Len() != 1+len(MustEncode(want)) {
		t.Errorf("sent a float: %v", err)
	}
	var got child
	if err := Receive(bufio.NewReader(&stream), 100, &got); err != nil || !bytes.Equal(got.Name, want.Name) || got.Size != want.Size {
		t.Errorf("%+v, %v", got, err)
	}
	if err := Receive(bufio.NewReader(strings.NewReader("\x01\xf6")), 100, &got); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
	if err := Receive(bufio.NewReader(strings.NewReader("\x7f")), 100, &got); !errors.Is(err, ErrTooLong) {
		t.Error(err)
	}
}

package rpc

import (
	"errors"
	"strings"
	"unicode"

	"holdfast/internal/wire"
)

// How much of an explanation travels, in bytes: for people, and for programs.
const (
	maxDetail = 256
	maxAbout  = 1 << 10
)

// Row says which number a refusal has on the wire.
type Row struct {
	Number  uint64
	Err     error
	Explain bool // the error's whole text goes to the peer; it never holds a path or a secret

	// Pack and Unpack, if there are any, carry what a program wants to know about
	// the refusal. Pack may return nil; Unpack's result wraps Err.
	Pack   func(error) []byte
	Unpack func([]byte) (error, error)
}

// Refusals is a protocol's table of errors: the one place that knows their numbers.
type Refusals []Row

// NewRefusals adds a protocol's own rows to those that all have.
func NewRefusals(own ...Row) Refusals {
	return append(Refusals{
		{Number: 1, Err: ErrInternal},
		{Number: 2, Err: ErrBadRequest, Explain: true},
		{Number: 3, Err: ErrBusy},
	}, own...)
}

// Refusal is a peer's refusal as its client sees it. It wraps the table's error.
type Refusal struct {
	Number uint64
	Detail string // the peer's words, cut and freed of control characters; empty if there are none
	Err    error
}

func (r *Refusal) Error() string {
	if r.Detail == "" || r.Detail == r.Err.Error() {
		return r.Err.Error()
	}
	return r.Err.Error() + " (it says: " + r.Detail + ")"
}

func (r *Refusal) Unwrap() error { return r.Err }

// status begins every answer. A refusal is nothing else.
type status struct {
	Status uint64 `cbor:"status"`
	Detail string `cbor:"detail,omitempty"`
	About  []byte `cbor:"about,omitempty"`
	Last   bool   `cbor:"last,omitempty"`
}

// pack makes an answer of an error, and says its number. What the table does not
// know is ErrInternal, and nothing is said about it.
func (r Refusals) pack(err error, last bool) (answer []byte, number uint64) {
	s := status{Status: r[0].Number, Last: last}
	for _, row := range r {
		if !errors.Is(err, row.Err) {
			continue
		}
		s.Status = row.Number
		if row.Explain {
			s.Detail = printable(err.Error())
		}
		if row.Pack != nil {
			s.About = row.Pack(err)
		}
		break
	}
	return wire.MustEncode(s), s.Status
}

// unpack makes an error of an answer; nil if it is not a refusal.
func (r Refusals) unpack(s status) error {
	if s.Status == 0 {
		return nil
	}
	refusal := &Refusal{Number: s.Status, Detail: printable(s.Detail), Err: ErrRefused}
	for _, row := range r {
		if row.Number != s.Status {
			continue
		}
		refusal.Err = row.Err
		if row.Unpack != nil && s.About != nil {
			if len(s.About) > maxAbout {
				return fault(wire.ErrTooLong)
			}
			about, err := row.Unpack(s.About)
			if err != nil {
				return fault(err)
			}
			refusal.Err = about
		}
	}
	return refusal
}

// printable cuts a text and frees it of what a terminal would obey.
func printable(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), maxDetail)], "")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s))
}

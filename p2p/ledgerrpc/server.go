package ledgerrpc

import (
	"context"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/rpc"
)

// Config is what a member serves with. All of its fields but Limits are needed.
type Config struct {
	Reader  Reader
	Voter   Voter
	Witness Witness
	Placer  Placer
	Auditor Auditor
	Counter Counter

	Successor Successor
	Docket    Docket
	Releaser  Releaser
	Undoer    Undoer

	// Admit judges a request before anything of its parts is read. What it returns is
	// the answer, unless it is nil. Charters, entries and heads are for everybody who
	// names the vault; bodies are not.
	Admit func(ctx context.Context, r Request) error

	Limits Limits
}

// loads is how many answers are read from the store at once: before one is there
// its length, and so the memory that it takes, is not known.
const loads = 4

// Serve answers the streams that peers open. It returns at once; the registrar ends
// the serving.
func Serve(r rpc.Registrar, c Config) {
	s := &server{Config: c, gate: rpc.NewGate(c.Limits), loading: make(chan struct{}, loads)}
	r.Handle(Protocol, func(ctx context.Context, st rpc.Stream) {
		s.gate.Serve(ctx, st, refusals, s.answer)
	})
}

type server struct {
	Config
	gate    *rpc.Gate
	loading chan struct{}
}

// answer serves one request.
func (s *server) answer(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var h header
	if err := decode(request, &h); err != nil {
		return err
	}
	x.Named(string(h.Op))
	switch h.Op {
	case Charters, Propose, Certify, Adopt, Place, Placements, Report, Evidence:
		return s.ofVault(ctx, x, request)
	case Heads, Segments:
		return s.withNonce(ctx, x, request)
	case Vaults:
		return s.vaults(ctx, x, request)
	case Links:
		return s.links(ctx, x, request)
	case Entry, Body:
		return s.byName(ctx, x, request)
	case Accept:
		return s.accept(ctx, x, request)
	case Key:
		return s.key(ctx, x, request)
	case Freeze:
		return s.freeze(ctx, x, request)
	case Successions:
		return s.successions(ctx, x, request)
	case Ask:
		return s.request(ctx, x, request)
	case Opine:
		return s.opine(ctx, x, request)
	case Cases:
		return s.cases(ctx, x, request)
	case Confirm:
		return s.confirm(ctx, x, request)
	case Confirmations:
		return s.confirmations(ctx, x, request)
	case Free:
		return s.free(ctx, x, request)
	case Consent, Release, Undo, Undone:
		return s.release(ctx, x, request)
	case Released:
		return s.released(ctx, x, request)
	case Audits:
		return s.audits(ctx, x, request)
	case Holding:
		return s.held(ctx, x, request)
	case Standing:
		return s.standing(ctx, x, request)
	case Moves:
		return s.moves(ctx, x, request)
	case Placed:
		return s.placed(ctx, x, request)
	}
	x.Named(rpc.Unknown)
	return fmt.Errorf("%w: no such verb", ErrBadRequest)
}

// take judges a request and reads its parts, each of at most so many bytes.
func (s *server) take(ctx context.Context, x *rpc.Exchange, r Request, lengths []uint64, most ...uint64) ([][]byte, error) {
	b, err := bounds(lengths, most...)
	if err != nil {
		return nil, err
	}
	if err := x.Expect(b, lengths...); err != nil {
		return nil, err
	}
	r.Peer = x.Peer()
	if err := s.Admit(ctx, r); err != nil {
		return nil, err
	}
	return x.Parts()
}

// load runs f, which reads an answer of unknown length, and sends what it returns.
// An answer that the asker would not take is refused: he asks for less.
func (s *server) load(ctx context.Context, x *rpc.Exchange, b rpc.Bounds, f func() ([][]byte, error)) error {
	return s.loadAs(ctx, x, b, f, func(lengths []uint64) any { return answer{Parts: lengths} })
}

// loadAs is load for an answer whose frame says more: frame makes it once f has returned.
func (s *server) loadAs(ctx context.Context, x *rpc.Exchange, b rpc.Bounds, f func() ([][]byte, error), frame func(lengths []uint64) any) error {
	parts, err := s.loadAlone(ctx, f)
	if err != nil {
		return err
	}
	lengths := rpc.Lengths(parts)
	if err := b.Check(lengths); err != nil {
		return fmt.Errorf("%w: %w", ledger.ErrTooLarge, err)
	}
	var total int64
	for _, n := range lengths {
		total += int64(n)
	}
	if err := x.Hold(total); err != nil {
		return err
	}
	return x.Answer(frame(lengths), parts...)
}

func (s *server) loadAlone(ctx context.Context, f func() ([][]byte, error)) ([][]byte, error) {
	select {
	case s.loading <- struct{}{}:
		defer func() { <-s.loading }()
		return f()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// signed answers with one signed object.
func signed(x *rpc.Exchange, s ident.Signed, err error) error {
	if err != nil {
		return err
	}
	parts, err := encodeSigned(s)
	if err != nil {
		return err
	}
	return x.Answer(answer{Parts: rpc.Lengths(parts)}, parts...)
}

package shardrpc

import (
	"context"
	"fmt"
	"io"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/p2p/rpc"
)

// Serve answers the streams that peers open. It returns at once; the registrar ends
// the serving.
func Serve(r rpc.Registrar, b Backend, l Limits) {
	gate := rpc.NewGate(l)
	r.Handle(Protocol, func(ctx context.Context, s rpc.Stream) {
		v := &visit{backend: b}
		gate.Serve(ctx, s, refusals, v.answer)
	})
}

// visit is the state of one stream: before auth there is no session.
type visit struct {
	backend Backend
	session Session
}

// answer serves one request.
//
// SPEC: the first request on a stream is auth, and no other one is.
func (v *visit) answer(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var h header
	if err := decode(request, &h); err != nil {
		return err
	}
	if (h.Op == opAuth) != (v.session == nil) {
		return fmt.Errorf("%w: the first request is auth, and no other", ErrBadRequest)
	}
	x.Named(h.Op)
	switch h.Op {
	case opAuth:
		return v.auth(ctx, x, request)
	case opPut:
		return v.put(ctx, x, request)
	case opGet:
		return v.get(ctx, x, request)
	case opRange:
		return v.slice(ctx, x, request)
	case opHas:
		return v.has(ctx, x, request)
	case opReceipt:
		return v.receipt(ctx, x, request)
	case opInfo:
		return v.info(ctx, x, request)
	case opAudit:
		return v.audit(ctx, x, request)
	case opInventory:
		return v.inventory(ctx, x, request)
	case opBucket:
		return v.bucket(ctx, x, request)
	}
	x.Named(rpc.Unknown)
	return fmt.Errorf("%w: no such verb", ErrBadRequest)
}

func (v *visit) auth(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m authRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	if m.Vault.Codec() != ident.DagCBOR {
		return fmt.Errorf("%w: no ID of a vault", ErrBadRequest)
	}
	if err := x.Expect(authBounds, m.Parts...); err != nil {
		return err
	}
	parts, err := x.Parts()
	if err != nil {
		return err
	}
	credential, err := m.credential(parts)
	if err != nil {
		return err
	}
	session, err := v.backend.Open(ctx, x.Peer(), m.Vault, credential)
	if err != nil {
		return err
	}
	v.session = session
	return x.Answer(okAnswer{})
}

func (v *visit) put(ctx context.Context, x *rpc.Exchange, request []byte) error {
	m, size, err := parsePut(request)
	if err != nil {
		return err
	}
	if err := x.Expect(rowBounds, size); err != nil {
		return err
	}
	if err := v.session.Put(ctx, m.Nonce, int(m.Index), m.Descriptor, x.Row()); err != nil {
		return err
	}
	if x.Unread() > 0 {
		return fmt.Errorf("%w: a row was not read", ErrInternal)
	}
	return x.Answer(okAnswer{})
}

func (v *visit) get(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m getRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	ref, err := parseRef(m.Segment, m.Index)
	if err != nil {
		return err
	}
	payload, err := v.session.Get(ctx, ref)
	if err != nil {
		return err
	}
	defer payload.Close()
	size := payload.Size()
	return x.Stream(getAnswer{Size: uint64(size)}, size, func(w io.Writer) error {
		_, err := payload.WriteTo(w)
		return err
	})
}

func (v *visit) slice(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m rangeRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	ref, err := parseRef(m.Segment, m.Index)
	if err != nil {
		return err
	}
	if m.N == 0 || m.N > rowBounds.Each || m.Off > rowBounds.Each-m.N {
		return ErrRange
	}
	return x.Stream(okAnswer{}, -1, func(w io.Writer) error {
		return v.session.Slice(ctx, ref, w, int64(m.Off), int64(m.N))
	})
}

func (v *visit) has(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m hasRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	refs, err := readRefs(x, hasBounds, m.Parts)
	if err != nil {
		return err
	}
	has, err := v.session.Has(ctx, refs)
	if err != nil {
		return err
	}
	if len(has) != len(refs) {
		return fmt.Errorf("%w: %d answers for %d shards", ErrInternal, len(has), len(refs))
	}
	a := hasAnswer{Has: make([]byte, len(has))}
	for i, yes := range has {
		if yes {
			a.Has[i] = 1
		}
	}
	return x.Answer(a)
}

func (v *visit) receipt(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m receiptRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	refs, err := readRefs(x, refsBounds, m.Parts)
	if err != nil {
		return err
	}
	receipt, err := v.session.Receipt(ctx, m.Nonce, refs)
	if err != nil {
		return err
	}
	return answerSigned(x, receipt)
}

func answerSigned(x *rpc.Exchange, s ident.Signed) error {
	p, err := wire.Encode(s)
	if err != nil {
		return err
	}
	parts := [][]byte{p}
	if err := receiptBounds.Check(rpc.Lengths(parts)); err != nil {
		return err
	}
	return x.Answer(receiptAnswer{Parts: rpc.Lengths(parts)}, parts...)
}

// readRefs reads the one part of a request that lists shards, at least one.
func readRefs(x *rpc.Exchange, b rpc.Bounds, lengths []uint64) ([]Ref, error) {
	if err := x.Expect(b, lengths...); err != nil {
		return nil, err
	}
	parts, err := x.Parts()
	if err != nil {
		return nil, err
	}
	if len(parts) != 1 || len(parts[0]) == 0 {
		return nil, fmt.Errorf("%w: no shards", ErrBadRequest)
	}
	return parseRefs(parts[0])
}

func (v *visit) info(ctx context.Context, x *rpc.Exchange, request []byte) error {
	var m infoRequest
	if err := decode(request, &m); err != nil {
		return err
	}
	if len(m.Devices) > MaxDevices {
		return fmt.Errorf("%w: %d devices", ErrBadRequest, len(m.Devices))
	}
	i, err := v.session.Info(ctx, m.Devices...)
	if err != nil {
		return err
	}
	return x.Answer(infoAnswer{
		Charged:  i.Charged,
		Capacity: uint64(max(0, i.Capacity)), Free: uint64(max(0, i.Free)),
		Used: uint64(max(0, i.Used)), Quota: uint64(max(0, i.Quota)),
		Network: i.Network, Clock: i.Clock.UnixMilli(),
	})
}

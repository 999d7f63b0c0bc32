package member

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"

	"holdfast/erasure"
	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/ledger"
)

// AddPlacement keeps a later placement: the receipt of a holder that got shards by
// completion or repair, with the holder's certificate. Of two for one shard the
// newer counts; one that counts for no shard any more is forgotten. It is on the
// disk when AddPlacement returns nil.
func (s *Store) AddPlacement(vault ident.CID, receipt, cert ident.Signed) error {
	v, err := s.vault(vault)
	if err != nil {
		return err
	}
	l := ledger.Placement{V: 1, Receipt: receipt, Cert: cert}
	r, c, err := v.chain().VerifyPlacement(l)
	if err != nil {
		return fmt.Errorf("add placement: %w", err)
	}
	now := s.cfg.Now()
	if err := errors.Join(r.CheckLater(v.inForce(), now), ledger.CheckHolder(v.inForce(), c, now)); err != nil {
		return fmt.Errorf("add placement: %w", err)
	}
	if len(r.Shards) > MaxLater {
		return fmt.Errorf("add placement: %w: %d shards", ledger.ErrTooLarge, len(r.Shards))
	}
	v.placing.Lock()
	defer v.placing.Unlock()
	if err := v.addPlacement(l, r); err != nil {
		return fmt.Errorf("add placement: %w", err)
	}
	return nil
}

func (v *vault) addPlacement(l ledger.Placement, r ledger.Receipt) error {
	id := l.Receipt.CID()
	known := false
	err := v.read(func(x index) error {
		known = x.get(receiptsBucket, id.Bytes()) != nil
		return x.checkShards(r)
	})
	if err != nil || known {
		return err
	}
	p, err := l.Encode()
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(v.dirs.placementPath(id), p, 0o600); err != nil {
		return err
	}
	var gone []ident.CID
	err = v.write(func(x index) error {
		var err error
		gone, err = x.place(id, r)
		return err
	})
	if err != nil {
		return err
	}
	for _, old := range gone {
		if err := os.Remove(v.dirs.placementPath(old)); err != nil {
			v.store.cfg.Log.Warn("placement is not removed", "vault", v.id, "receipt", old, "error", err)
		}
	}
	return nil
}

// checkShards holds that every shard of a receipt belongs to a certified segment.
func (x index) checkShards(r ledger.Receipt) error {
	for _, s := range r.Shards {
		state, _, err := x.state(s.Segment)
		if err != nil {
			return err
		}
		if state != ledger.SegmentCertified {
			return fmt.Errorf("%w: segment %s is not certified here", ledger.ErrReceipt, s.Segment)
		}
		in, _, err := x.introduction(s.Segment)
		if err != nil {
			return err
		}
		d, err := erasure.ParseDescriptor(in.descriptor)
		if err != nil {
			return err
		}
		if s.Index >= int64(len(d.Shards)) || d.Shards[s.Index] != s.Shard {
			return fmt.Errorf("%w: segment %s has no such shard %d", ledger.ErrReceipt, s.Segment, s.Index)
		}
	}
	return nil
}

// placed is the newest later receipt for a shard.
type placed struct {
	time    int64
	receipt ident.CID
}

// newer orders receipts for one shard: by time, then by name.
func (p placed) newer(q placed) bool {
	return p.time > q.time || p.time == q.time && p.receipt.Compare(q.receipt) > 0
}

func placementKey(segment ident.CID, shard int64) []byte {
	return binary.BigEndian.AppendUint32(segment.Bytes(), uint32(shard))
}

func parsePlaced(p []byte) (placed, error) {
	if len(p) != 8+ident.CIDSize {
		return placed{}, fmt.Errorf("read placement: %w", ErrCorrupt)
	}
	id, err := ident.CIDFromBytes(p[8:])
	return placed{int64(binary.BigEndian.Uint64(p)), id}, err
}

// place makes a receipt count for every shard for which it is the newest, and
// returns the receipts that count for none any more, which may be this one.
func (x index) place(id ident.CID, r ledger.Receipt) (gone []ident.CID, err error) {
	this := placed{r.Time, id}
	counts := int64(0)
	for _, s := range r.Shards {
		key := placementKey(s.Segment, s.Index)
		if p := x.get(placementsBucket, key); p != nil {
			was, err := parsePlaced(p)
			if err != nil {
				return nil, err
			}
			if !this.newer(was) {
				continue
			}
			left, err := x.release(was.receipt)
			if err != nil {
				return nil, err
			}
			if left == 0 {
				gone = append(gone, was.receipt)
			}
		}
		counts++
		if err := x.put(placementsBucket, key, append(number(this.time), id.Bytes()...)); err != nil {
			return nil, err
		}
	}
	if counts == 0 {
		return append(gone, id), nil
	}
	return gone, x.put(receiptsBucket, id.Bytes(), number(counts))
}

// release counts a receipt for one shard less, and returns for how many it counts.
func (x index) release(receipt ident.CID) (int64, error) {
	p := x.get(receiptsBucket, receipt.Bytes())
	if len(p) != 8 {
		return 0, fmt.Errorf("read receipt %s: %w", receipt, ErrCorrupt)
	}
	left := int64(binary.BigEndian.Uint64(p)) - 1
	if left == 0 {
		return 0, x.bucket(receiptsBucket).Delete(receipt.Bytes())
	}
	return left, x.put(receiptsBucket, receipt.Bytes(), number(left))
}

// Placements returns the later placements of a segment: for each shard that has any
// the newest, without repetition, sorted by the receipts' names. The caller puts
// them together with what the entry's body says.
func (s *Store) Placements(vault, segment ident.CID) ([]ledger.Placement, error) {
	v, err := s.vault(vault)
	if err != nil {
		return nil, err
	}
	var receipts []ident.CID
	err = v.read(func(x index) error {
		prefix := segment.Bytes()
		c := x.bucket(placementsBucket).Cursor()
		for k, p := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, p = c.Next() {
			at, err := parsePlaced(p)
			if err != nil {
				return err
			}
			receipts = append(receipts, at.receipt)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(receipts, ident.CID.Compare)
	var out []ledger.Placement
	for _, id := range slices.Compact(receipts) {
		l, _, err := v.dirs.readPlacement(id, v.chain())
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// readPlacement reads a later placement and verifies all that is in it.
func (d dirs) readPlacement(id ident.CID, chain ledger.Chain) (ledger.Placement, ledger.Receipt, error) {
	fail := func(err error) (ledger.Placement, ledger.Receipt, error) {
		return ledger.Placement{}, ledger.Receipt{}, fmt.Errorf("placement %s: %w: %w", id, ErrCorrupt, err)
	}
	p, err := readFile(d.placementPath(id), ledger.MaxPlacement)
	if err != nil {
		return fail(err)
	}
	l, err := ledger.ParsePlacement(p)
	if err != nil {
		return fail(err)
	}
	r, _, err := chain.VerifyPlacement(l)
	if err == nil && l.Receipt.CID() != id {
		err = errors.New("it is another placement")
	}
	if err != nil {
		return fail(err)
	}
	return l, r, nil
}

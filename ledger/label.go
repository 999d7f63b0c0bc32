package ledger

import (
	"fmt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// The labels of docs/format.md, section 6. The label `snapshot` belongs to
// vault/snapshot.
const (
	LabelNodeCertificate ident.Label = "node-certificate"
	LabelNodeRequest     ident.Label = "node-request"
	LabelNodeVote        ident.Label = "node-vote"
	LabelHeld            ident.Label = "held"
	LabelVaultGrant      ident.Label = "vault-grant"
	LabelNodeRecord      ident.Label = "node-record"
	LabelVaultHint       ident.Label = "vault-hint"
	LabelCharter         ident.Label = "charter"
	LabelAccept          ident.Label = "accept"
	LabelGrant           ident.Label = "grant"
	LabelEntry           ident.Label = "entry"
	LabelProposal        ident.Label = "proposal"
	LabelReceipt         ident.Label = "receipt"
	LabelVote            ident.Label = "vote"
	LabelAck             ident.Label = "ack"
	LabelReport          ident.Label = "report"
	LabelAttempt         ident.Label = "attempt"
	LabelHeads           ident.Label = "heads"
	LabelSegments        ident.Label = "segments"
	LabelJoin            ident.Label = "join"
	LabelMemberKey       ident.Label = "member-key"
	LabelFreeze          ident.Label = "freeze"
	LabelRequest         ident.Label = "request"
	LabelApprove         ident.Label = "approve"
	LabelVeto            ident.Label = "veto"
	LabelConfirm         ident.Label = "confirm"
	LabelConsent         ident.Label = "consent"
	LabelUndo            ident.Label = "undo"
	LabelUndone          ident.Label = "undone"
	LabelStanding        ident.Label = "standing"
	LabelInventory       ident.Label = "inventory"
	LabelPlaced          ident.Label = "placed"
	LabelAuditReport     ident.Label = "audit-report"
)

// version is the only version of every structure here.
const version = 1

// sign encodes v, in at most limit bytes, and signs it. What a reader would refuse
// in v's form has been checked by the caller.
func sign(key ident.PrivateKey, label ident.Label, scope ident.CID, limit int, v any) (ident.Signed, error) {
	p, err := wire.Encode(v)
	if err == nil && len(p) > limit {
		err = fmt.Errorf("%w: %d bytes of at most %d", ErrTooLarge, len(p), limit)
	}
	if err != nil {
		return ident.Signed{}, fmt.Errorf("sign %s: %w", label, err)
	}
	return key.Sign(label, scope, p), nil
}

// parse reads one encoded structure of at most limit bytes.
func parse(what ident.Label, p []byte, limit int, v any) error {
	if len(p) > limit {
		return fmt.Errorf("parse %s: %w: %d bytes of at most %d", what, ErrTooLarge, len(p), limit)
	}
	if err := wire.DecodeVersion(p, version, v); err != nil {
		return fmt.Errorf("parse %s: %w", what, err)
	}
	return nil
}

// check verifies a signature over the bytes as received.
func check(s ident.Signed, key ident.PublicKey, label ident.Label, scope ident.CID) error {
	if err := s.Verify(key, label, scope); err != nil {
		return fmt.Errorf("verify %s: %w", label, err)
	}
	return nil
}

func invalid(what ident.Label, format string, args ...any) error {
	return fmt.Errorf("%s: %w: %s", what, ErrInvalid, fmt.Sprintf(format, args...))
}

func mismatch(what ident.Label, format string, args ...any) error {
	return fmt.Errorf("%s: %w: %s", what, ErrMismatch, fmt.Sprintf(format, args...))
}

// verified returns v only if there is no error. What sets err must not change v in
// the same statement.
func verified[T any](v T, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return v, nil
}

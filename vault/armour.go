package vault

import (
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	"holdfast/internal/wire"
)

// Labels of the texts (RFC 7468) in which machines hand each other what is no secret.
const (
	labelRequest = "HOLDFAST JOIN REQUEST"
	labelInvite  = "HOLDFAST INVITATION"
)

// ErrArmour says that a file is not the text that was asked for.
var ErrArmour = errors.New("not a file of this kind")

// maxArmour limits what is read of a text.
const maxArmour = 4 << 20

// armour encodes a structure as text that survives mail and copying.
func armour(label string, v any) ([]byte, error) {
	p, err := wire.Encode(v)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: p}), nil
}

// unarmour reads the one structure in a text. What stands around it is skipped.
func unarmour(label string, text []byte, v any) error {
	block, rest := pem.Decode(text)
	switch {
	case block == nil:
		return fmt.Errorf("%w: it has no %q", ErrArmour, strings.ToLower(label))
	case block.Type != label:
		return fmt.Errorf("%w: it holds %.40q, not %q", ErrArmour, strings.ToLower(block.Type), strings.ToLower(label))
	case len(block.Headers) > 0:
		return fmt.Errorf("%w: headers", ErrArmour)
	}
	if another, _ := pem.Decode(rest); another != nil {
		return fmt.Errorf("%w: it holds more than one", ErrArmour)
	}
	if err := wire.Decode(block.Bytes, v); err != nil {
		return fmt.Errorf("%w: %w", ErrArmour, err)
	}
	return nil
}

// readArmour reads a text of at most maxArmour bytes.
func readArmour(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxArmour {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrArmour, maxArmour)
	}
	return os.ReadFile(path)
}

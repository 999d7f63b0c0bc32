package armour

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"holdfast/internal/wire"
)

// ErrArmour says that a file is not the text that was asked for.
var ErrArmour = errors.New("not a file of this kind")

// MaxText limits what is read of a text.
const MaxText = 4 << 20

// Encode encodes a structure as text under a label such as "HOLDFAST JOIN REQUEST".
func Encode(label string, v any) ([]byte, error) {
	p, err := wire.Encode(v)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: p}), nil
}

// Decode reads the one structure in a text. What stands around it is skipped.
func Decode(label string, text []byte, v any) error {
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

// ReadFile reads a text of at most MaxText bytes.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxText+1))
	if err == nil && len(text) > MaxText {
		err = fmt.Errorf("%w: longer than %d bytes", ErrArmour, MaxText)
	}
	return text, err
}

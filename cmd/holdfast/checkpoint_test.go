package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"holdfast/internal/ident"
	"holdfast/vault"
	"holdfast/vault/object"
)

// What is said after an interruption is true whether a checkpoint was made or not.
func TestExplainInterruptedBackup(t *testing.T) {
	id := ident.SumDagCBOR([]byte("entry"))
	for _, c := range []struct {
		i             vault.Interrupted
		message, hint string
	}{
		{vault.Interrupted{Err: context.Canceled}, "before a checkpoint was made", "run the same command again"},
		{vault.Interrupted{Err: context.Canceled, Last: id, Kept: true}, "checkpoint " + id.Hex()[:8] + " keeps what was placed", "the same command continues"},
		{vault.Interrupted{Err: context.Canceled, Last: id}, "until it was made", "the same command continues"},
	} {
		got := explain(interrupted{checkpointed{fmt.Errorf("x: %w", &c.i), id.Hex()[:8]}})
		if got.exit != exitInterrupted || !strings.Contains(got.message, c.message) || !strings.Contains(got.hint, c.hint) {
			t.Errorf("%+v: %+v", c.i, got)
		}
	}
}

// An error after checkpoints does not say that nothing was saved.
func TestExplainWithCheckpoint(t *testing.T) {
	for err, want := range map[error]exit{
		object.ErrTooFewHolders: exitNetwork, errors.New("anything else"): exitFailed, errCommand: exitFailed,
	} {
		got := explain(checkpointed{err, "5d21a0f9"})
		if got.exit != want || !strings.Contains(got.hint, "checkpoint 5d21a0f9 is kept") || strings.Contains(got.hint, "nothing was saved") {
			t.Errorf("%v: %+v", err, got)
		}
	}
}

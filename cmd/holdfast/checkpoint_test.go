package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"holdfast/internal/ident"
	"holdfast/vault"
	"holdfast/vault/object"
	"holdfast/vault/snapshot"
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

// A checkpoint is marked in the list, for people and for programs.
func TestPartialIsMarked(t *testing.T) {
	s := vault.Snapshot{Link: vault.Link{CID: ident.SumDagCBOR([]byte("entry"))}, Open: true, Info: snapshot.Snapshot{Host: "web-01", Paths: [][]byte{[]byte("/srv")}}}
	for _, partial := range []bool{false, true} {
		s.Info.Partial = partial
		for _, json := range []bool{false, true} {
			var out bytes.Buffer
			a := &app{out: &out, err: &out, json: json}
			a.printSnapshot(s)
			mark := "  partial\n"
			if json {
				mark = `"partial":true`
			}
			if strings.Contains(out.String(), mark) != partial {
				t.Errorf("partial %v: %q", partial, out.String())
			}
		}
	}
}

// A checkpoint is told of above the bars, and in JSON on a line of its own.
func TestCheckpointIsTold(t *testing.T) {
	s := vault.Snapshot{Link: vault.Link{CID: ident.SumDagCBOR([]byte("entry"))}, Open: true}
	for _, json := range []bool{false, true} {
		var out bytes.Buffer
		a := &app{out: &out, err: &out, json: json}
		var b vault.Backup
		c := a.watchCheckpoints(&b, &progress{app: a})
		b.Continues(s)
		b.Checkpoint(s)
		if n := strings.Count(out.String(), s.ID()[:8]); n < 2 || strings.Count(out.String(), "\n") != 2 || strings.Contains(out.String(), "message_type") != json {
			t.Errorf("%q", out.String())
		}
		if err := c.explain(errCommand); !strings.Contains(explain(err).hint, s.ID()[:8]) {
			t.Errorf("%v", explain(err))
		}
	}
}

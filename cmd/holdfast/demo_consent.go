package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
)

// rogue is an administrator who has the merchant's machine, the owner's words and the
// key of one guardian, and wants everything gone.
func (s *story) rogue(ctx context.Context) error {
	why, err := s.refused(ctx, oldMachine, "forget", "latest", "--apply", "--phrase-file", s.kit(), "--reason", "cleaning up")
	if err != nil {
		return err
	}
	s.note("he asks, and the nodes refuse: %s", why.Message)
	if _, err := s.call(ctx, oldMachine, nil, "release", "approve", why.Request, "--key", s.guardianKey("cleo")); err != nil {
		return err
	}
	again, err := s.refused(ctx, oldMachine, "release", "run")
	if err != nil {
		return err
	}
	s.note("with the key of a guardian whom he has robbed: %s", again.Message)
	if _, err := s.call(ctx, "home-of-anna", nil, "guardian", "veto", why.Request, "--key", s.guardianKey("anna"),
		"--vault", s.vaultID, "--bootstrap", s.network.BootstrapFile()); err != nil {
		return err
	}
	s.note("anna, who reads of it on her own machine, vetoes; it is over, and nothing was deleted")
	return nil
}

// refusal is what the program says when members do not consent.
type refusal struct {
	Request string `json:"request"`
	Message string `json:"message"`
}

// refused runs the program and holds that it ends with the exit code for missing
// consent: anything else ends the story.
func (s *story) refused(ctx context.Context, machine string, args ...string) (refusal, error) {
	cmd := s.command(ctx, machine, args...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() != exitForbidden.code {
		return refusal{}, fmt.Errorf("holdfast %s was not refused: %w: %s", args[0], err, oneLine(said.String()))
	}
	var r refusal
	for _, lines := range [][]byte{out.Bytes(), said.Bytes()} {
		for line := range bytes.Lines(lines) {
			json.Unmarshal(line, &r) // fields of several lines add up
		}
	}
	return r, nil
}

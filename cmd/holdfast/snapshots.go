package main

import (
	"encoding/base64"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"holdfast/vault"
)

// filterFlags are --host, --path and --tag.
func filterFlags(c *cobra.Command, f *vault.Filter) {
	c.Flags().StringSliceVar(&f.Hosts, "host", nil, "only snapshots of this host")
	c.Flags().StringArrayVar(&f.Paths, "path", nil, "only snapshots of this path")
	c.Flags().StringArrayVar(&f.Tags, "tag", nil, "only snapshots with this tag, or all of a,b")
}

func snapshotsCommand(a *app) *cobra.Command {
	var f vault.Filter
	c := &cobra.Command{
		Use: "snapshots", Short: "list what the vault holds", GroupID: groupMerchant, Args: exactly(0),
		Long: "Lists the snapshots, oldest first. \"partial\" marks the checkpoints of backups: each holds the\n" +
			"files that were complete when it was made.",
		Example: "  holdfast snapshots\n  holdfast snapshots --host web-01 --tag nightly",
		RunE: func(c *cobra.Command, _ []string) error {
			s, st, err := a.synced(c.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			all, err := s.Snapshots(c.Context(), f)
			if err != nil {
				return err
			}
			for _, snap := range all {
				a.printSnapshot(snap)
			}
			a.say("%s; newest head: %s", plural(len(all), "snapshot"), st.Freshness)
			return nil
		},
	}
	filterFlags(c, &f)
	c.Flags().BoolVar(&f.Objects, "objects", false, "also what put has stored")
	return c
}

func (a *app) printSnapshot(s vault.Snapshot) {
	if a.json {
		a.emit(snapshotJSON(s))
		return
	}
	if !s.Open {
		a.printf("%s  %s  %-12s  (this device may add and not read)\n", s.ID()[:8], s.Link.Time.Format(time.DateTime), s.Device)
		return
	}
	tags := ""
	if len(s.Info.Tags) > 0 {
		tags = "  [" + strings.Join(s.Info.Tags, ",") + "]"
	}
	partial := ""
	if s.Info.Partial {
		partial = "  partial"
	}
	a.printf("%s  %s  %-12s  %9s  %s%s%s\n", s.ID()[:8], s.Link.Time.Format(time.DateTime), s.Info.Host, formatSize(s.Info.Stats.Bytes), strings.Join(pathTexts(s.Info.Paths), " "), tags, partial)
}

func pathTexts(paths [][]byte) []string {
	var out []string
	for _, p := range paths {
		out = append(out, string(p))
	}
	return out
}

func snapshotJSON(s vault.Snapshot) map[string]any {
	fields := map[string]any{
		"message_type": "snapshot", "id": s.ID(), "short_id": s.ID()[:8], "time": s.Link.Time, "device": s.Device,
		"lane": s.Link.Entry.Lane.String(), "height": s.Link.Entry.Height,
	}
	if s.Open {
		fields["hostname"], fields["username"] = s.Info.Host, s.Info.User
		fields["paths"], fields["tags"] = pathTexts(s.Info.Paths), s.Info.Tags
		fields["started"], fields["partial"], fields["program_version"] = s.Info.Started(), s.Info.Partial, s.Info.Program
		fields["total_files"], fields["total_bytes"], fields["data_added"] = s.Info.Stats.Files, s.Info.Stats.Bytes, s.Info.Stats.Added
		if s.Info.Object.Defined() {
			fields["object"] = s.Info.Object.String()
		}
	}
	return fields
}

// pathField puts a path into a JSON line; one that is not UTF-8 also in base64.
func pathField(fields map[string]any, path string) {
	fields["path"] = strings.ToValidUTF8(path, "\uFFFD")
	if !utf8.ValidString(path) {
		fields["path_b64"] = base64.StdEncoding.EncodeToString([]byte(path))
	}
}

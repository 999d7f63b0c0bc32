package keep_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"holdfast/vault/keep"
)

func at(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return t
}

// snapshots makes one for each time; "?" behind a time marks a checkpoint, "#a,b" tags.
func snapshots(times ...string) []keep.Snapshot {
	var out []keep.Snapshot
	for _, text := range times {
		s := keep.Snapshot{ID: text, Host: "web", Paths: []string{"/srv"}}
		text, tags, tagged := strings.Cut(text, "#")
		if tagged {
			s.Tags = strings.Split(tags, ",")
		}
		text, s.Partial = strings.CutSuffix(text, "?")
		s.Time = at(text)
		out = append(out, s)
	}
	return out
}

func staying(decisions []keep.Decision) []string {
	var out []string
	for _, d := range decisions {
		if d.Stays() {
			out = append(out, d.ID)
		}
	}
	slices.Sort(out)
	return out
}

var fortnight = []string{
	"2026-03-01 01:00", "2026-03-01 23:00", "2026-03-02 01:00", "2026-03-02 13:00", "2026-03-02 13:30",
	"2026-03-08 12:00", "2026-03-09 12:00", "2026-03-15 00:10", "2026-03-15 00:20",
}

func TestPolicy(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy keep.Policy
		have   []string
		stay   []string
	}{
		{"the last ones", keep.Policy{Last: 2}, fortnight, []string{"2026-03-15 00:10", "2026-03-15 00:20"}},
		{"more than there are", keep.Policy{Last: 20}, fortnight, fortnight},
		{"hours", keep.Policy{Hourly: 4}, fortnight, []string{"2026-03-02 13:30", "2026-03-08 12:00", "2026-03-09 12:00", "2026-03-15 00:20"}},
		{"days", keep.Policy{Daily: 3}, fortnight, []string{"2026-03-08 12:00", "2026-03-09 12:00", "2026-03-15 00:20"}},
		{"weeks begin on Monday", keep.Policy{Weekly: 2}, fortnight, []string{"2026-03-08 12:00", "2026-03-15 00:20"}},
		{"the oldest stays while periods are missing", keep.Policy{Monthly: 2}, fortnight, []string{"2026-03-01 01:00", "2026-03-15 00:20"}},
		{"every period", keep.Policy{Daily: keep.All}, fortnight, []string{
			"2026-03-01 01:00", "2026-03-01 23:00", "2026-03-02 13:30", "2026-03-08 12:00", "2026-03-09 12:00", "2026-03-15 00:20"}},
		{"a week of two years", keep.Policy{Weekly: 1}, []string{"2026-12-31 10:00", "2027-01-01 10:00"}, []string{"2027-01-01 10:00"}},
		{"years", keep.Policy{Yearly: 2}, []string{"2024-05-01 00:00", "2025-01-01 00:00", "2025-12-31 23:59", "2026-01-01 00:00"}, []string{"2025-12-31 23:59", "2026-01-01 00:00"}},
		{"within, counted from the newest", keep.Policy{Within: 6*24*time.Hour + 12*time.Hour}, fortnight, []string{"2026-03-09 12:00", "2026-03-15 00:10", "2026-03-15 00:20"}},
		{"rules add up", keep.Policy{Last: 1, Weekly: 2}, fortnight, []string{"2026-03-08 12:00", "2026-03-15 00:20"}},
		{"a tag", keep.Policy{Last: 1, Tags: [][]string{{"a"}}}, []string{"2026-03-01 00:00#a", "2026-03-02 00:00#b", "2026-03-03 00:00"}, []string{"2026-03-01 00:00#a", "2026-03-03 00:00"}},
		{"all tags of a list", keep.Policy{Last: 1, Tags: [][]string{{"a", "b"}, {"c"}}},
			[]string{"2026-03-01 00:00#a,b", "2026-03-02 00:00#a", "2026-03-03 00:00#c", "2026-03-04 00:00"},
			[]string{"2026-03-01 00:00#a,b", "2026-03-03 00:00#c", "2026-03-04 00:00"}},
		{"never the last one", keep.Policy{Tags: [][]string{{"none"}}}, fortnight, []string{"2026-03-15 00:20"}},
		{"a checkpoint counts for nothing", keep.Policy{Last: 1}, []string{"2026-03-01 00:00", "2026-03-02 00:00?"}, []string{"2026-03-01 00:00", "2026-03-02 00:00?"}},
		{"a finished backup supersedes its checkpoints", keep.Policy{Last: 2},
			[]string{"2026-03-01 00:00", "2026-03-02 00:00?", "2026-03-02 01:00?", "2026-03-02 02:00"}, []string{"2026-03-01 00:00", "2026-03-02 02:00"}},
		{"only checkpoints", keep.Policy{Last: 1}, []string{"2026-03-01 00:00?", "2026-03-02 00:00?"}, []string{"2026-03-01 00:00?", "2026-03-02 00:00?"}},
		{"nothing", keep.Policy{Last: 1}, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := staying(c.policy.Apply(snapshots(c.have...))); !slices.Equal(got, c.stay) {
				t.Errorf("stay:\n%v\nnot\n%v", got, c.stay)
			}
		})
	}
}

func TestEmptyPolicy(t *testing.T) {
	for _, p := range []keep.Policy{{Last: 1}, {Hourly: 1}, {Daily: 1}, {Weekly: 1}, {Monthly: keep.All}, {Yearly: 1}, {Within: 1}, {Tags: [][]string{{"a"}}}} {
		if p.Empty() {
			t.Errorf("%+v has no rule", p)
		}
	}
	if !(keep.Policy{}).Empty() {
		t.Error("no rule, and the policy is not empty")
	}
}

func TestGroups(t *testing.T) {
	all := snapshots("2026-03-01 00:00", "2026-03-02 00:00", "2026-03-03 00:00", "2026-03-04 00:00")
	all[0].Paths, all[2].Paths = []string{"/a", "/b"}, []string{"/b", "/a"}
	all[3].Host = "db"
	want := []string{
		"db /srv: [2026-03-04 00:00] of 1",
		"web /a /b: [2026-03-03 00:00] of 2",
		"web /srv: [2026-03-02 00:00] of 1",
	}
	var got []string
	for _, g := range (keep.Policy{Last: 1}).Groups(all) {
		got = append(got, fmt.Sprintf("%s %s: %v of %d", g.Host, strings.Join(g.Paths, " "), staying(g.Decisions), len(g.Decisions)))
	}
	if !slices.Equal(got, want) {
		t.Errorf("groups:\n%q\nnot\n%q", got, want)
	}
}

// TestLaws holds for every policy: nothing is lost or made, applying it to what stays
// removes nothing more, a bigger count keeps no less, and a group never becomes empty.
func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []keep.Snapshot
		for i := range rapid.IntRange(0, 60).Draw(t, "snapshots") {
			hours := rapid.IntRange(0, 3*365*24).Draw(t, "hour")
			all = append(all, keep.Snapshot{ID: fmt.Sprint(i), Time: at("2024-01-01 00:00").Add(time.Duration(hours) * time.Hour), Partial: rapid.IntRange(0, 3).Draw(t, "partial") == 0})
		}
		count := rapid.IntRange(keep.All, 5)
		p := keep.Policy{
			Last: count.Draw(t, "last"), Hourly: count.Draw(t, "hourly"), Daily: count.Draw(t, "daily"),
			Weekly: count.Draw(t, "weekly"), Monthly: count.Draw(t, "monthly"), Yearly: count.Draw(t, "yearly"),
		}
		first := p.Apply(all)
		stay := staying(first)
		if len(first) != len(all) {
			t.Fatalf("%d of %d snapshots were judged", len(first), len(all))
		}
		complete := 0
		var left []keep.Snapshot
		for _, d := range first {
			if d.Stays() {
				left = append(left, d.Snapshot)
			}
			if !d.Partial {
				complete++
			}
		}
		if complete > 0 && !slices.ContainsFunc(left, func(s keep.Snapshot) bool { return !s.Partial }) {
			t.Fatal("no complete snapshot is left")
		}
		if again := staying(p.Apply(left)); !slices.Equal(again, stay) {
			t.Fatalf("what stays does not stay: %v, then %v", stay, again)
		}
		more := p
		if more.Daily >= 0 {
			more.Daily++
		}
		wider := staying(more.Apply(all))
		for _, id := range stay {
			if !slices.Contains(wider, id) {
				t.Fatalf("with one day more %s goes", id)
			}
		}
	})
}

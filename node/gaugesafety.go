package node

import (
	"cmp"
	"slices"
	"time"

	"holdfast/ledger"
)

// What members say of the vaults that they vote for. A network's figure is the largest
// over its nodes, or for the margin the smallest: each counts its own vaults.

func segmentGauges() []gauge {
	sum := func(name, help string, pick func(c CustodyStatus) int64) gauge {
		return plain(name, help, func(s Status) (sum float64) {
			for c := range s.custody() {
				sum += float64(pick(c))
			}
			return sum
		})
	}
	return []gauge{
		sum("holdfast_segments", "Segments of the vaults of which this node is a member.", func(c CustodyStatus) int64 { return c.Segments }),
		sum("holdfast_segments_below_target", "Of these, lack a shard.", func(c CustodyStatus) int64 { return c.Below }),
		sum("holdfast_segments_at_risk", "Of these, can lose two shards more at most.", func(c CustodyStatus) int64 { return c.AtRisk }),
		sum("holdfast_segments_unrecoverable", "Of these, have fewer shards than it takes to rebuild them.", func(c CustodyStatus) int64 { return c.Lost }),
		newGauge("holdfast_segment_min_margin", "Shards that the worst segment can still lose; absent where there is none.", func(s Status, set func(float64, ...string)) {
			worst, some := 0, false
			for c := range s.custody() {
				if c.Segments > 0 && (!some || c.Worst < worst) {
					worst, some = c.Worst, true
				}
			}
			if some {
				set(float64(worst))
			}
		}),
	}
}

func catalogGauges() []gauge {
	return []gauge{
		plain("holdfast_catalog_entries", "Certified entries in the ledgers of the vaults of which this node is a member.", func(s Status) (sum float64) {
			for c := range s.catalogs() {
				sum += float64(c.Entries)
			}
			return sum
		}),
		newGauge("holdfast_catalog_last_entry_timestamp_seconds", "When the newest of them was made, as its device says; absent where there is none.", func(s Status, set func(float64, ...string)) {
			var newest time.Time
			for c := range s.catalogs() {
				if c.Newest.After(newest) {
					newest = c.Newest
				}
			}
			if !newest.IsZero() {
				set(float64(newest.Unix()))
			}
		}),
	}
}

func repairGauges() []gauge {
	return []gauge{
		plain("holdfast_repair_queue_segments", "Segments that this node is to repair.", func(s Status) float64 { return float64(s.Repair.Queue) }),
		plain("holdfast_repair_active_segments", "Of these, are being worked on.", func(s Status) float64 { return float64(s.Repair.Active) }),
		plain("holdfast_repair_oldest_seconds", "How long the first of them has waited.", func(s Status) float64 { return s.Repair.Oldest }),
		counted("holdfast_repair_shards_total", "Shards rebuilt or moved, and recorded by a quorum.", func(s Status) int64 { return s.Repair.Rebuilt }),
		counted("holdfast_repair_moved_shards_total", "Of these, copied from holders that leave.", func(s Status) int64 { return s.Repair.Moved }),
		counted("holdfast_repair_bytes_total", "Bytes read and written for that.", func(s Status) int64 { return s.Repair.Bytes }),
		counted("holdfast_repair_failed_total", "Times that the repair of a segment was put off.", func(s Status) int64 { return s.Repair.Failed }),
		counted("holdfast_shards_moved_away_total", "Shards that this node let go of because others hold them now.", func(s Status) int64 { return s.Repair.Dropped }),
		plain("holdfast_repair_ill_coded_segments", "Segments that their writer has coded wrongly, 1000 at most; they are not rebuilt.", func(s Status) float64 { return float64(len(s.IllCoded)) }),
	}
}

func auditGauges() []gauge {
	return []gauge{
		counted("holdfast_audit_issued_total", "Groups that holders were asked to prove.", func(s Status) int64 { return s.Audits.Issued }),
		counted("holdfast_audit_passed_total", "Groups that holders have proved to this node.", func(s Status) int64 { return s.Audits.Passed }),
		counted("holdfast_audit_failed_total", "Shards that holders were found not to have.", func(s Status) int64 { return s.Audits.Failed }),
		counted("holdfast_audit_timeout_total", "Rounds that holders did not answer.", func(s Status) int64 { return s.Audits.Timeouts }),
		plain("holdfast_audit_missing_shards", "Shards that their holders lack, and that are not repaired yet.", func(s Status) float64 { return float64(s.Audits.Missing) }),
		newGauge("holdfast_holders", "Holders of this node's vaults, once for each vault, by what its audits say of them.", func(s Status, set func(float64, ...string)) {
			count := map[string]int{}
			for h := range s.holders() {
				count[h.State]++
			}
			for _, state := range ledger.HolderStates() {
				set(float64(count[string(state)]), string(state))
			}
		}, "state"),
		newGauge("holdfast_standing_weight", "This node's weight in placement, 0 to 1000, as the members of its vaults say: the least of several vaults, absent before any has answered.", func(s Status, set func(float64, ...string)) {
			if len(s.Standing) > 0 {
				set(float64(slices.MinFunc(s.Standing, func(a, b Standing) int { return cmp.Compare(a.Weight, b.Weight) }).Weight))
			}
		}),
		plain("holdfast_standing_missing_shards", "Shards that this node should have and does not, as the members of its vaults say.", func(s Status) (sum float64) {
			for _, one := range s.Standing {
				sum += float64(one.Missing)
			}
			return sum
		}),
		plain("holdfast_volume_scrub_progress_ratio", "How much of what is stored the scrub under way has read, 0 to 1.", func(s Status) float64 { return s.Scrub.Progress }),
		newGauge("holdfast_volume_scrub_last_complete_timestamp_seconds", "When all that is stored was last read; before the first time, when reading began.", func(s Status, set func(float64, ...string)) {
			at := s.Scrub.Finished
			if at.IsZero() {
				at = s.Scrub.Started
			}
			if !at.IsZero() {
				set(float64(at.Unix()))
			}
		}),
	}
}

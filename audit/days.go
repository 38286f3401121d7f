package audit

import (
	"context"
	"maps"
	"time"

	"infsh/team"
)

// RunDay counts the requests of runs on one day of UTC.
type RunDay struct {
	Day time.Time
	// Allowed received their secrets; Refused were denied, or lacked one.
	Allowed, Refused int64
}

// RunDays are the last days, the oldest first, each of them.
type RunDays struct {
	Days []RunDay
	// CountedTo is the time up to which was counted back; it is zero if all days
	// are counted.
	CountedTo time.Time
}

// countedDays is how many days are shown.
const countedDays = 30

// countedTeams is of how many teams the counts are kept.
const countedTeams = 1000

// counted are the counts of the entries numbered from first to before end. What
// is in the log stays as it is, so they stay right, and each request adds to them
// what came since. So the page needs no table that every resolve writes to.
type counted struct {
	first, end int64
	days       map[int64]RunDay // by the day's second in Unix time
}

// RunsPerDay counts the runs of the team's last thirty days, now's among them. It
// reads at most MaxScan entries: a team with more is counted in several requests.
func (s *Service) RunsPerDay(ctx context.Context, actor team.Actor, now time.Time) (RunDays, error) {
	if err := Guard(ctx, s.store, actor, team.ReadAudit, ""); err != nil {
		return RunDays{}, err
	}
	today := now.UTC().Truncate(24 * time.Hour)
	since := today.AddDate(0, 0, 1-countedDays)
	first, end, err := s.store.Span(ctx, actor.TeamID(), since, time.Time{})
	if err != nil {
		return RunDays{}, err
	}
	c, ok := s.counted.Get(actor.TeamID())
	if !ok || end-c.end > s.reach || c.end > end {
		c = counted{first: end, end: end}
	}
	c.days = maps.Clone(c.days)
	if c.days == nil {
		c.days = map[int64]RunDay{}
	}
	maps.DeleteFunc(c.days, func(day int64, _ RunDay) bool { return day < since.Unix() })
	left := s.reach - (end - c.end)
	if err := c.add(ctx, s.store, actor.TeamID(), c.end, end); err != nil {
		return RunDays{}, err
	}
	c.end = end
	if further := max(first, c.first-left); further < c.first {
		if err := c.add(ctx, s.store, actor.TeamID(), further, c.first); err != nil {
			return RunDays{}, err
		}
		c.first = further
	}
	s.counted.Add(actor.TeamID(), c)

	var out RunDays
	for day := since; !day.After(today); day = day.AddDate(0, 0, 1) {
		one := c.days[day.Unix()]
		one.Day = day
		out.Days = append(out.Days, one)
	}
	if c.first > first {
		out.CountedTo, err = s.store.At(ctx, actor.TeamID(), c.first)
	}
	return out, err
}

func (c *counted) add(ctx context.Context, store Store, team string, first, end int64) error {
	if first >= end {
		return nil
	}
	days, err := store.CountRuns(ctx, team, first, end)
	if err != nil {
		return err
	}
	for _, d := range days {
		sum := c.days[d.Day.Unix()]
		sum.Allowed += d.Allowed
		sum.Refused += d.Refused
		c.days[d.Day.Unix()] = sum
	}
	return nil
}

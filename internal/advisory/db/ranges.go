package db

import (
	"slices"

	"bulwark/internal/advisory/osv"
	"bulwark/internal/advisory/version"
)

// end says how an interval ends.
type end uint8

const (
	open  end = iota // never
	fixed            // before the version, which repairs it
	last             // after the version
	limit            // before the version, of which nothing is known
)

// interval is a run of affected versions. From is empty where it begins with the
// first version.
type interval struct {
	from, to string
	end      end
}

// intervals turns the events of a range into intervals as the schema's
// algorithm (https://ossf.github.io/osv-schema/#evaluation) would: walked through
// in order, "introduced" opens and "fixed" and "last_affected" close. It fails
// if an event has no place in the order.
func intervals(order *version.Order, events []osv.Event) ([]interval, error) {
	type point struct {
		v     version.Version
		event osv.Event
	}
	points := make([]point, 0, len(events))
	var (
		out   []interval
		top   point // the greatest limit
		least bool  // affected from the beginning
	)
	bounded := false
	for _, e := range events {
		text := e.Introduced + e.Fixed + e.LastAffected + e.Limit // one of them
		if e.Introduced == "0" {
			least = true
			continue
		}
		if e.Limit == "*" {
			continue
		}
		v, err := order.Parse(text)
		if err != nil {
			return nil, err
		}
		p := point{v, e}
		if e.Limit == "" {
			points = append(points, p)
			continue
		}
		if bounded {
			c, err := p.v.Compare(&top.v)
			if err != nil {
				return nil, err
			}
			if c <= 0 {
				continue
			}
		}
		top, bounded = p, true
	}
	var failed error
	slices.SortStableFunc(points, func(a, b point) int {
		c, err := a.v.Compare(&b.v)
		if err != nil {
			failed = err
		}
		return c
	})
	if failed != nil {
		return nil, failed
	}
	affected, from := least, ""
	for i := range points {
		e := points[i].event
		switch {
		case e.Introduced != "":
			if !affected {
				affected, from = true, e.Introduced
			}
		case affected && e.Fixed != "":
			out = append(out, interval{from, e.Fixed, fixed})
			affected = false
		case affected:
			out = append(out, interval{from, e.LastAffected, last})
			affected = false
		case e.LastAffected != "" && i+1 < len(points) && points[i+1].event.Introduced != "":
			// One single version, whose end is written before its beginning.
			c, err := points[i].v.Compare(&points[i+1].v)
			if err != nil {
				return nil, err
			}
			if c == 0 {
				points[i], points[i+1] = points[i+1], points[i]
				affected, from = true, points[i].event.Introduced
			}
		}
	}
	if affected {
		out = append(out, interval{from, "", open})
	}
	if !bounded {
		return out, nil
	}
	return cut(out, order, &top.v)
}

// cut ends the intervals before a limit.
func cut(in []interval, order *version.Order, top *version.Version) ([]interval, error) {
	var out []interval
	for _, iv := range in {
		if iv.from != "" {
			from, err := order.Parse(iv.from)
			if err != nil {
				return nil, err
			}
			c, err := from.Compare(top)
			if err != nil {
				return nil, err
			}
			if c >= 0 {
				continue
			}
		}
		if iv.end != open {
			to, err := order.Parse(iv.to)
			if err != nil {
				return nil, err
			}
			c, err := to.Compare(top)
			if err != nil {
				return nil, err
			}
			if c < 0 || c == 0 && iv.end == fixed {
				out = append(out, iv)
				continue
			}
		}
		out = append(out, interval{iv.from, top.String(), limit})
	}
	return out, nil
}

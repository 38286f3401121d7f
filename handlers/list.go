package handlers

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"infsh/api"
	"infsh/problem"
)

const (
	defaultLimit = 50
	maxLimit     = 200
)

// listable says how a kind of object is searched, sorted and filtered: its
// plain fields by their wire names, all as text that sorts as the field does.
type listable[T any] struct {
	fields map[string]func(T) string
	// searched are the fields of a search that names none.
	searched []string
	// sortedBy is the order of a request that names none; ties are broken by id.
	sortedBy string
	id       func(T) string
}

// cursor is a place in a sorted list: before or after an item, by what it is
// sorted by, so that it stays right when items come and go.
type cursor struct {
	Values []string `json:"v"`
	ID     string   `json:"i"`
	Before bool     `json:"b,omitempty"`
}

// page cuts the page that the request asks for.
func (l listable[T]) page(all []T, req api.ListRequest) (api.List[T], error) {
	var none api.List[T]
	limit := req.Limit
	switch {
	case limit == 0:
		limit = defaultLimit
	case limit < 0 || limit > maxLimit:
		return none, problem.Invalid("limit", "a page has 1 to %d items", maxLimit)
	}
	items, err := l.filter(all, req)
	if err != nil {
		return none, err
	}
	order, err := l.order(req.Sort)
	if err != nil {
		return none, err
	}
	slices.SortFunc(items, order.compare)

	start, end := 0, min(limit, len(items))
	if req.Cursor != "" {
		c, err := parseCursor(req.Cursor, len(order.by))
		if err != nil {
			return none, err
		}
		if c.Before {
			end = order.position(items, c, false)
			start = max(0, end-limit)
		} else {
			start = order.position(items, c, true)
			end = min(start+limit, len(items))
		}
	}
	out := api.List[T]{Items: items[start:end], ItemsPerPage: limit, TotalItems: len(items), HasPrevious: start > 0, HasNext: end < len(items)}
	if out.Items == nil {
		out.Items = []T{}
	}
	if out.HasNext && end > start {
		out.NextCursor = order.cursor(items[end-1], false)
	}
	if out.HasPrevious {
		if start < len(items) {
			out.PrevCursor = order.cursor(items[start], true)
		} else {
			out.PrevCursor = req.Cursor
		}
	}
	return out, nil
}

func (l listable[T]) filter(all []T, req api.ListRequest) ([]T, error) {
	items := slices.Clone(all)
	if s := req.Search; s != nil && s.Term != "" {
		names := s.Fields
		if len(names) == 0 {
			names = l.searched
		}
		fields := make([]func(T) string, len(names))
		for i, n := range names {
			f, ok := l.fields[n]
			if !ok {
				return nil, l.unknownField("search.fields")
			}
			fields[i] = f
		}
		term := strings.ToLower(s.Term)
		items = slices.DeleteFunc(items, func(item T) bool {
			return !slices.ContainsFunc(fields, func(f func(T) string) bool {
				if s.Exact {
					return f(item) == s.Term
				}
				return strings.Contains(strings.ToLower(f(item)), term)
			})
		})
	}
	for i, f := range req.Filters {
		field, ok := l.fields[f.Field]
		if !ok {
			return nil, l.unknownField(fmt.Sprintf("filters[%d].field", i))
		}
		keep, err := filterFunc(f)
		if err != nil {
			return nil, problem.Invalid(fmt.Sprintf("filters[%d]", i), "%v", err)
		}
		items = slices.DeleteFunc(items, func(item T) bool { return !keep(field(item)) })
	}
	return items, nil
}

func filterFunc(f api.Filter) (func(string) bool, error) {
	want := func(v any) (string, error) {
		switch v := v.(type) {
		case string:
			return v, nil
		case bool, float64:
			return fmt.Sprint(v), nil
		}
		return "", fmt.Errorf("the value must be text, a number or a boolean")
	}
	if list, ok := f.Value.([]any); ok && f.Operator == "in" {
		var values []string
		for _, v := range list {
			s, err := want(v)
			if err != nil {
				return nil, err
			}
			values = append(values, s)
		}
		return func(have string) bool { return slices.Contains(values, have) }, nil
	}
	value, err := want(f.Value)
	if err != nil {
		return nil, err
	}
	switch f.Operator {
	case "", "eq":
		return func(have string) bool { return have == value }, nil
	case "neq":
		return func(have string) bool { return have != value }, nil
	case "contains":
		return func(have string) bool { return strings.Contains(strings.ToLower(have), strings.ToLower(value)) }, nil
	}
	return nil, fmt.Errorf("the operator must be eq, neq, in or contains")
}

func (l listable[T]) unknownField(at string) error {
	known := make([]string, 0, len(l.fields))
	for f := range l.fields {
		known = append(known, f)
	}
	slices.Sort(known)
	return problem.Invalid(at, "there is no such field in this list; known are %s", strings.Join(known, ", "))
}

type ordering[T any] struct {
	by   []func(T) string
	desc []bool
	id   func(T) string
}

func (l listable[T]) order(sort []api.Sort) (ordering[T], error) {
	o := ordering[T]{id: l.id}
	if len(sort) == 0 {
		sort = []api.Sort{{Field: l.sortedBy}}
	}
	if len(sort) > 4 {
		return o, problem.Invalid("sort", "sort by at most four fields")
	}
	for i, s := range sort {
		f, ok := l.fields[s.Field]
		if !ok {
			return o, l.unknownField(fmt.Sprintf("sort[%d].field", i))
		}
		if s.Dir != "" && s.Dir != api.Ascending && s.Dir != api.Descending {
			return o, problem.Invalid(fmt.Sprintf("sort[%d].dir", i), "the direction is asc or desc")
		}
		o.by, o.desc = append(o.by, f), append(o.desc, s.Dir == api.Descending)
	}
	return o, nil
}

func (o ordering[T]) values(item T) []string {
	out := make([]string, len(o.by))
	for i, f := range o.by {
		out[i] = f(item)
	}
	return out
}

func (o ordering[T]) compareValues(a []string, aID string, b []string, bID string) int {
	for i := range a {
		c := cmp.Compare(a[i], b[i])
		if o.desc[i] {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(aID, bID)
}

func (o ordering[T]) compare(a, b T) int {
	return o.compareValues(o.values(a), o.id(a), o.values(b), o.id(b))
}

// position returns the index of the first item after the cursor, or at it.
func (o ordering[T]) position(items []T, c cursor, after bool) int {
	i, found := slices.BinarySearchFunc(items, c, func(item T, c cursor) int {
		return o.compareValues(o.values(item), o.id(item), c.Values, c.ID)
	})
	if found && after {
		i++
	}
	return i
}

func (o ordering[T]) cursor(item T, before bool) string {
	// The parts are strings, so this can't fail.
	b, _ := json.Marshal(cursor{Values: o.values(item), ID: o.id(item), Before: before})
	return base64.RawURLEncoding.EncodeToString(b)
}

const maxCursor = 4096

func parseCursor(s string, fields int) (cursor, error) {
	var c cursor
	invalid := problem.Invalid("cursor", "this is not a cursor of this list; start again without one")
	if len(s) > maxCursor {
		return c, invalid
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || json.Unmarshal(b, &c) != nil || len(c.Values) != fields {
		return c, invalid
	}
	return c, nil
}

// Package listing says what a page of a list is: what is searched and filtered,
// in which order, from where on, and how many. It knows neither HTTP nor SQL.
// A short list is cut here, in memory; a long one is cut by the database, which
// gives the same page for the same [Query] (a test compares them).
//
// A page starts at a position, which is the values that the order compares, and
// not at a number of items: so it stays right while items come and go.
//
// Text is compared byte by byte. Where case does not matter, that is so for the
// letters A to Z alone, because the databases agree on no more.
package listing

import (
	"cmp"
	"slices"
	"strings"
)

// Kind is what a field holds.
type Kind int

const (
	// Text is a string.
	Text Kind = iota
	// Number is an int64.
	Number
	// Time is an int64 too: microseconds since 1970 UTC, and 0 for never.
	Time
)

// Value is a string for Text, else an int64.
type Value = any

// Field is a plain field of a list's items.
type Field[T any] struct {
	Name string
	Kind Kind
	// Of reads it from an item.
	Of func(T) Value
	// Unique is a field of which no two items have the same value.
	Unique bool
	// Searched is a field that a search looks at if it names none.
	Searched bool
}

// List is what can be asked of a list of T. One of its fields is unique, and
// the last of them is: it breaks ties.
type List[T any] struct {
	// Name tells its cursors from those of other lists.
	Name   string
	Fields []Field[T]
	// SortedBy is the order of a request that names none.
	SortedBy Order
}

// Query asks for one page.
type Query struct {
	// Search, if its Term is not empty, keeps the items of which one of the
	// Fields holds the Term in any case, or with Exact is the Term.
	Search  Search
	Filters []Filter
	// Order ends with a unique field, so that it orders any two items.
	Order []Order
	// From is where the page starts; nil is the beginning.
	From *Position
	// Limit is how many items the page has at most.
	Limit int

	list string
}

// Search is described at [Query].
type Search struct {
	Fields []string
	Term   string
	Exact  bool
}

// Order is a field by which a list is sorted.
type Order struct {
	Field string
	Desc  bool
}

// Position is a place in the order. Values are those of Order's fields. The page
// is what comes after it, or with Backward before it; an item at the position
// itself belongs to the page if Inclusive.
type Position struct {
	Values    []Value
	Backward  bool
	Inclusive bool
}

// Operator is what a filter asks of a field.
type Operator string

// The operators.
const (
	Equal        Operator = "eq"
	NotEqual     Operator = "neq"
	In           Operator = "in"
	NotIn        Operator = "not_in"
	Greater      Operator = "gt"
	GreaterEqual Operator = "gte"
	Less         Operator = "lt"
	LessEqual    Operator = "lte"
	// Contains looks for a part of a text, in any case.
	Contains    Operator = "contains"
	NotContains Operator = "not_contains"
	// IsEmpty holds for an empty text, for 0 and for never.
	IsEmpty    Operator = "is_empty"
	IsNotEmpty Operator = "is_not_empty"
)

// Filter keeps the items whose Field satisfies the Operator. Values is one
// value, several for In and NotIn, and none for IsEmpty and IsNotEmpty.
type Filter struct {
	Field    string
	Operator Operator
	Values   []Value
}

// Page is a part of a list.
type Page[T any] struct {
	Items []T
	// Total is how many items the search and the filters keep, and Before how
	// many of them come before Items.
	Total, Before int
}

// Cut makes the page that q asks for of all items.
func (l List[T]) Cut(all []T, q Query) Page[T] {
	items := slices.DeleteFunc(slices.Clone(all), func(item T) bool { return !l.keeps(q, item) })
	compare := func(a T, b []Value) int { return q.compare(l.values(q, a), b) }
	slices.SortFunc(items, func(a, b T) int { return compare(a, l.values(q, b)) })
	start, end := 0, min(q.Limit, len(items))
	if p := q.From; p != nil {
		at, found := slices.BinarySearchFunc(items, p.Values, compare)
		if found && p.Inclusive == p.Backward {
			at++
		}
		if p.Backward {
			start, end = max(0, at-q.Limit), at
		} else {
			start, end = at, min(at+q.Limit, len(items))
		}
	}
	return Page[T]{Items: items[start:end], Total: len(items), Before: start}
}

func (l List[T]) keeps(q Query, item T) bool {
	if q.Search.Term != "" && !slices.ContainsFunc(q.Search.Fields, func(name string) bool {
		have, _ := l.value(name, item).(string)
		if q.Search.Exact {
			return have == q.Search.Term
		}
		return strings.Contains(Fold(have), Fold(q.Search.Term))
	}) {
		return false
	}
	for _, f := range q.Filters {
		if !f.keeps(l.value(f.Field, item)) {
			return false
		}
	}
	return true
}

func (f Filter) keeps(have Value) bool {
	switch f.Operator {
	case In:
		return slices.Contains(f.Values, have)
	case NotIn:
		return !slices.Contains(f.Values, have)
	case IsEmpty:
		return have == "" || have == int64(0)
	case IsNotEmpty:
		return have != "" && have != int64(0)
	case Contains, NotContains:
		text, _ := have.(string)
		part, _ := f.Values[0].(string)
		return strings.Contains(Fold(text), Fold(part)) == (f.Operator == Contains)
	}
	c := compareValues(have, f.Values[0])
	switch f.Operator {
	case Equal:
		return c == 0
	case NotEqual:
		return c != 0
	case Greater:
		return c > 0
	case GreaterEqual:
		return c >= 0
	case Less:
		return c < 0
	case LessEqual:
		return c <= 0
	}
	return false
}

// Fold makes the letters A to Z small.
func Fold(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

func (l List[T]) value(name string, item T) Value {
	if f := l.field(name); f != nil {
		return f.Of(item)
	}
	return nil
}

func (l List[T]) field(name string) *Field[T] {
	if i := slices.IndexFunc(l.Fields, func(f Field[T]) bool { return f.Name == name }); i >= 0 {
		return &l.Fields[i]
	}
	return nil
}

func (l List[T]) values(q Query, item T) []Value {
	out := make([]Value, len(q.Order))
	for i, o := range q.Order {
		out[i] = l.value(o.Field, item)
	}
	return out
}

func (q Query) compare(a, b []Value) int {
	for i, o := range q.Order {
		if c := compareValues(a[i], b[i]); c != 0 {
			if o.Desc {
				return -c
			}
			return c
		}
	}
	return 0
}

func compareValues(a, b Value) int {
	if a, ok := a.(string); ok {
		b, _ := b.(string)
		return cmp.Compare(a, b)
	}
	x, _ := a.(int64)
	y, _ := b.(int64)
	return cmp.Compare(x, y)
}

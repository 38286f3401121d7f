package listing

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"infsh/problem"
)

const (
	// DefaultLimit and MaxLimit are in items.
	DefaultLimit = 50
	MaxLimit     = 200

	maxSorts   = 4
	maxFilters = 20
	// maxChoices is how many values in and not_in have.
	maxChoices = 100
	// maxTerm is in characters.
	maxTerm = 1000
)

// Request is a page as a client asks for it.
type Request struct {
	Cursor string
	// Limit nil is DefaultLimit.
	Limit   *int
	Search  *Search
	Sort    []SortRequest
	Filters []FilterRequest
}

// SortRequest is one field of the order; Dir is "asc", "desc" or empty.
type SortRequest struct{ Field, Dir string }

// FilterRequest is a filter; Value is what encoding/json makes of JSON.
type FilterRequest struct {
	Field, Operator string
	Value           any
}

// Parse checks a request. Each error is a problem.InvalidField that names the
// field of the request, and repeats no value.
func (l List[T]) Parse(r Request) (Query, error) {
	q := Query{Limit: DefaultLimit, list: l.Name}
	if r.Limit != nil {
		q.Limit = *r.Limit
	}
	if q.Limit < 1 || q.Limit > MaxLimit {
		return q, problem.Invalid("limit", "a page has 1 to %d items", MaxLimit)
	}
	var err error
	if q.Search, err = l.parseSearch(r.Search); err != nil {
		return q, err
	}
	if len(r.Filters) > maxFilters {
		return q, problem.Invalid("filters", "a list takes at most %d filters", maxFilters)
	}
	for i, f := range r.Filters {
		parsed, err := l.parseFilter(fmt.Sprintf("filters[%d]", i), f)
		if err != nil {
			return q, err
		}
		q.Filters = append(q.Filters, parsed)
	}
	if q.Order, err = l.parseSort(r.Sort); err != nil {
		return q, err
	}
	if r.Cursor != "" {
		q.From, err = l.parseCursor(q, r.Cursor)
	}
	return q, err
}

func (l List[T]) parseSearch(r *Search) (Search, error) {
	if r == nil {
		return Search{}, nil
	}
	s := Search{Term: r.Term, Exact: r.Exact, Fields: r.Fields}
	if err := checkText(s.Term); err != nil {
		return s, problem.Invalid("search.term", "%v", err)
	}
	for i, name := range s.Fields {
		if f := l.field(name); f == nil || f.Kind != Text {
			return s, l.unknown(fmt.Sprintf("search.fields[%d]", i), name, func(f Field[T]) bool { return f.Kind == Text })
		}
	}
	if len(s.Fields) == 0 {
		for _, f := range l.Fields {
			if f.Searched {
				s.Fields = append(s.Fields, f.Name)
			}
		}
	}
	return s, nil
}

func (l List[T]) parseFilter(at string, r FilterRequest) (Filter, error) {
	f := Filter{Field: r.Field, Operator: Operator(r.Operator)}
	field := l.field(r.Field)
	if field == nil {
		return f, l.unknown(at+".field", r.Field, func(Field[T]) bool { return true })
	}
	switch f.Operator {
	case "":
		f.Operator = Equal
	// No field is null but a time that has not come.
	case "is_null":
		f.Operator = IsEmpty
	case "is_not_null":
		f.Operator = IsNotEmpty
	}
	var given []any
	switch f.Operator {
	case IsEmpty, IsNotEmpty:
		return f, nil
	case In, NotIn:
		list, ok := r.Value.([]any)
		if !ok || len(list) > maxChoices {
			return f, problem.Invalid(at+".value", "%s takes a list of at most %d values", f.Operator, maxChoices)
		}
		given = list
	case Contains, NotContains:
		if field.Kind != Text {
			return f, problem.Invalid(at+".operator", "%s is for fields of text", f.Operator)
		}
		given = []any{r.Value}
	case Equal, NotEqual, Greater, GreaterEqual, Less, LessEqual:
		given = []any{r.Value}
	default:
		return f, problem.Invalid(at+".operator", "the operator is one of eq, neq, in, not_in, gt, gte, lt, lte, contains, not_contains, is_null, is_not_null, is_empty and is_not_empty")
	}
	for _, v := range given {
		parsed, err := field.Kind.parse(v)
		if err != nil {
			return f, problem.Invalid(at+".value", "%v", err)
		}
		f.Values = append(f.Values, parsed)
	}
	return f, nil
}

// maxExact is the largest integer that JSON carries exactly in every language.
const maxExact = 1<<53 - 1

func (k Kind) parse(v any) (Value, error) {
	switch k {
	case Number:
		n, ok := v.(float64)
		if !ok || n != math.Trunc(n) || math.Abs(n) > maxExact {
			return nil, fmt.Errorf("the value must be a whole number")
		}
		return int64(n), nil
	case Time:
		s, _ := v.(string)
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return nil, fmt.Errorf("the value must be a time such as 2026-01-31T12:00:00Z (RFC 3339)")
		}
		return t.UnixMicro(), nil
	}
	s, ok := v.(string)
	if !ok {
		return nil, fmt.Errorf("the value must be text")
	}
	return s, checkText(s)
}

// checkText refuses what no field holds, and PostgreSQL can't be asked about.
func checkText(s string) error {
	if strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
		return fmt.Errorf("it must be text without NUL")
	}
	if utf8.RuneCountInString(s) > maxTerm {
		return fmt.Errorf("it has at most %d characters", maxTerm)
	}
	return nil
}

func (l List[T]) parseSort(sort []SortRequest) ([]Order, error) {
	if len(sort) > maxSorts {
		return nil, problem.Invalid("sort", "a list is sorted by at most %d fields", maxSorts)
	}
	var order []Order
	for i, s := range sort {
		if l.field(s.Field) == nil {
			return nil, l.unknown(fmt.Sprintf("sort[%d].field", i), s.Field, func(Field[T]) bool { return true })
		}
		if s.Dir != "" && s.Dir != "asc" && s.Dir != "desc" {
			return nil, problem.Invalid(fmt.Sprintf("sort[%d].dir", i), "the direction is asc or desc")
		}
		order = append(order, Order{Field: s.Field, Desc: s.Dir == "desc"})
	}
	if len(order) == 0 {
		order = []Order{l.SortedBy}
	}
	// What follows a unique field decides nothing.
	for i, o := range order {
		if l.field(o.Field).Unique {
			return order[:i+1], nil
		}
	}
	return append(order, Order{Field: l.Fields[len(l.Fields)-1].Name}), nil
}

// A name that looks like a field's may be told; another may be anything.
var fieldName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z_]{1,32}$`) })

func (l List[T]) unknown(at, name string, known func(Field[T]) bool) error {
	var names []string
	for _, f := range l.Fields {
		if known(f) {
			names = append(names, f.Name)
		}
	}
	slices.Sort(names)
	what := "this"
	if fieldName().MatchString(name) {
		what = name
	}
	return problem.Invalid(at, "%s is not a field that can stand here; known are %s", what, strings.Join(names, ", "))
}

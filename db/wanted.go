package db

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lib/pq"

	"infsh/problem"
)

// What several callers want is one statement's parameter: a list of rows of
// texts. So its text, and with it the prepared statement, is the same for any
// number of them.

const (
	// maxRead is the most questions in one statement.
	maxRead = 128
	// readers is how many groups of one kind read at once.
	readers = 1
)

// found asks one question together with others. The answer has an error of its
// own, such as problem.NotFound, which is none of the others'.
func found[Q, T any](ctx context.Context, g *groups[Q, answer[T]], question Q) (none T, err error) {
	a, err := g.do(ctx, question)
	switch {
	case errors.Is(err, errClosing), errors.Is(err, errTooMany):
		return none, &problem.Error{Code: problem.Unavailable, Detail: noAnswer, Cause: err}
	case err != nil:
		return none, err
	case a.err != nil:
		return none, a.err
	}
	return a.value, nil
}

// reading makes the groups of one kind of question.
func reading[Q, T any](d *DB, read func(context.Context, []Q) ([]answer[T], error)) *groups[Q, answer[T]] {
	return newGroups(maxRead, readers, func(ctx context.Context, wanted []Q) (out []answer[T], err error) {
		err = d.retry(ctx, func() error {
			out, err = read(ctx, wanted)
			return err
		})
		return out, err
	})
}

// wanted is the list in a FROM clause: w, with the given columns and n, the
// number of the row. lists makes its parameters.
func (q querier) wanted(columns ...string) string {
	if q.dialect == postgresDialect {
		lists, names := "", ""
		for i, c := range columns {
			if i > 0 {
				lists += ", "
			}
			lists += "?::text[]"
			names += c + ", "
		}
		return "unnest(" + lists + ") WITH ORDINALITY AS w(" + names + "n)"
	}
	fields := ""
	for i, c := range columns {
		fields += ", value ->> " + string(rune('0'+i)) + " AS " + c
	}
	return "(SELECT key AS n" + fields + " FROM json_each(?)) AS w"
}

// lists are the columns of the wanted rows as parameters.
func (q querier) lists(columns [][]string) []any {
	for _, c := range columns {
		for i := range c {
			c[i] = searchable(c[i])
		}
	}
	if q.dialect == postgresDialect {
		args := make([]any, len(columns))
		for i, c := range columns {
			args[i] = pq.StringArray(c)
		}
		return args
	}
	rows := make([][]string, len(columns[0]))
	for i := range rows {
		rows[i] = make([]string, len(columns))
		for c := range columns {
			rows[i][c] = columns[c][i]
		}
	}
	text, _ := json.Marshal(rows) // texts can always be encoded
	return []any{string(text)}
}

// distinct sorts a list and drops what is in it twice.
func distinct(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// searchable is a text to look for. PostgreSQL refuses a statement for a text with
// a NUL character or invalid UTF-8, of which it holds none; what stands for it here
// is no id and no name either.
func searchable(text string) string {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return "-"
	}
	return text
}

// place is the index of the wanted row that has the number n.
func (q querier) place(n int64) int {
	if q.dialect == postgresDialect {
		return int(n) - 1
	}
	return int(n)
}

// each visits the rows of a query, which it scans without reflection.
func (q querier) each(ctx context.Context, query string, args []any, visit func(scan func(...any) error) error) error {
	return q.within(ctx, func(ctx context.Context) error {
		rows, err := q.q.QueryxContext(ctx, q.q.Rebind(query), args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := visit(rows.Scan); err != nil {
				return err
			}
		}
		return errors.Join(rows.Err(), rows.Close())
	})
}

package listing

import "time"

// TextField is a field of text.
func TextField[T any](name string, of func(T) string) Field[T] {
	return Field[T]{Name: name, Kind: Text, Of: func(item T) Value { return of(item) }}
}

// Searched makes a field one that a search looks at if it names none.
func Searched[T any](f Field[T]) Field[T] {
	f.Searched = true
	return f
}

// Unique makes a field one that no two items share.
func Unique[T any](f Field[T]) Field[T] {
	f.Unique = true
	return f
}

// NumberField is a field of whole numbers.
func NumberField[T any](name string, of func(T) int64) Field[T] {
	return Field[T]{Name: name, Kind: Number, Of: func(item T) Value { return of(item) }}
}

// TimeField is a field of times. The zero time is never.
func TimeField[T any](name string, of func(T) time.Time) Field[T] {
	return Field[T]{Name: name, Kind: Time, Of: func(item T) Value {
		if t := of(item); !t.IsZero() {
			return t.UnixMicro()
		}
		return int64(0)
	}}
}

// IDField is the last field of a list: it breaks ties.
func IDField[T any](of func(T) string) Field[T] { return Unique(TextField("id", of)) }

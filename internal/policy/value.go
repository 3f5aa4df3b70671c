package policy

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A shape knows how to turn values of one Go type into terms of the evaluator.
// It saves the way over JSON text, which costs as much as the decision itself.
type shape func(v reflect.Value) *ast.Term

// inputShape is the shape of Input, made on first use.
var inputShape = sync.OnceValues(func() (shape, error) { return shapeOf(reflect.TypeFor[Input]()) })

// inputValue turns in into the form that the evaluator works on: the same
// document that encoding/json would write.
func inputValue(in *Input) (ast.Value, error) {
	s, err := inputShape()
	if err != nil {
		return nil, err
	}
	return s(reflect.ValueOf(in).Elem()).Value, nil
}

func shapeOf(t reflect.Type) (shape, error) {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return func(v reflect.Value) *ast.Term {
			return ast.StringTerm(v.Interface().(time.Time).Format(time.RFC3339Nano))
		}, nil
	case t.Kind() == reflect.String:
		return func(v reflect.Value) *ast.Term { return textTerm(v.String()) }, nil
	case t.Kind() == reflect.Bool:
		return func(v reflect.Value) *ast.Term { return ast.InternedTerm(v.Bool()) }, nil
	case t.Kind() == reflect.Int:
		return func(v reflect.Value) *ast.Term { return ast.InternedTerm(int(v.Int())) }, nil
	case t == reflect.TypeFor[map[string]string]():
		return mapTerm, nil
	case t.Kind() == reflect.Slice:
		return sliceShape(t)
	case t.Kind() == reflect.Struct:
		return structShape(t)
	}
	return nil, fmt.Errorf("the policy input has a field of type %v, which has no form in a policy", t)
}

func sliceShape(t reflect.Type) (shape, error) {
	elem, err := shapeOf(t.Elem())
	if err != nil {
		return nil, err
	}
	return func(v reflect.Value) *ast.Term {
		terms := make([]*ast.Term, v.Len())
		for i := range terms {
			terms[i] = elem(v.Index(i))
		}
		return ast.ArrayTerm(terms...)
	}, nil
}

func structShape(t reflect.Type) (shape, error) {
	keys := make([]*ast.Term, t.NumField())
	fields := make([]shape, t.NumField())
	for i := range keys {
		var err error
		if fields[i], err = shapeOf(t.Field(i).Type); err != nil {
			return nil, err
		}
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		keys[i] = ast.StringTerm(name)
	}
	return func(v reflect.Value) *ast.Term {
		pairs := make([][2]*ast.Term, len(keys))
		for i := range keys {
			pairs[i] = [2]*ast.Term{keys[i], fields[i](v.Field(i))}
		}
		return ast.ObjectTerm(pairs...)
	}, nil
}

func mapTerm(v reflect.Value) *ast.Term {
	m := v.Interface().(map[string]string)
	pairs := make([][2]*ast.Term, 0, len(m))
	for k, text := range m {
		pairs = append(pairs, [2]*ast.Term{textTerm(k), textTerm(text)})
	}
	return ast.ObjectTerm(pairs...)
}

// textTerm replaces what is not UTF-8, as encoding/json does: names of files
// may hold any bytes.
func textTerm(s string) *ast.Term {
	return ast.InternedTerm(strings.ToValidUTF8(s, "\uFFFD"))
}

package main

import (
	"math"
	"regexp"
	"slices"
	"sort"
	"strings"
)

const nobody = "no such word"

// How terraform-plugin-sdk, terraform-plugin-framework and the provider's own types list the words that they take.
var (
	listed = []*regexp.Regexp{
		regexp.MustCompile(`(?s)to be one of \[(.*?)\], got`),
		regexp.MustCompile(`(?s)value must be one of: \[(.*?)\], got`),
		regexp.MustCompile(`(?s)Valid Values: \[(.*?)\]`),
	}
	numbers = regexp.MustCompile(`to be one of (?:\[\]int\{)?\[?([-\d, ]+)[\]}]`)
	quoted  = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
)

// judge notes the words, the range and the refused candidates of an attribute.
func (a *Attribute) judge(text, number bool, texts map[string]string, verdict func(any) []string) {
	switch {
	case text:
		a.OneOf = words(strings.Join(verdict(nobody), " "))
		if len(a.OneOf) > 0 {
			other := swapped(a.OneOf[0])
			a.AnyCase = other != a.OneOf[0] && len(verdict(other)) == 0
			return
		}
		for label, value := range texts {
			if len(verdict(value)) > 0 {
				a.Refuses = append(a.Refuses, label)
			}
		}
		sort.Strings(a.Refuses)
	case number:
		if found := numbers.FindStringSubmatch(strings.Join(verdict(int64(-77)), " ")); found != nil {
			a.OneOf = strings.FieldsFunc(found[1], func(one rune) bool { return one == ',' || one == ' ' })
			return
		}
		a.Between = bounds(func(value int64) bool { return len(verdict(value)) == 0 })
	}
}

func swapped(word string) string {
	if upper := strings.ToUpper(word); upper != word {
		return upper
	}
	return strings.ToLower(word)
}

func words(said string) (found []string) {
	for _, one := range listed {
		list := one.FindStringSubmatch(said)
		if list == nil {
			continue
		}
		if quotes := quoted.FindAllStringSubmatch(strings.ReplaceAll(list[1], `\"`, ``), -1); quotes != nil {
			for _, word := range quotes {
				found = append(found, word[1])
			}
		} else {
			found = strings.Fields(list[1])
		}
	}
	found = slices.DeleteFunc(found, func(one string) bool { return one == "" })
	sort.Strings(found)
	return slices.Compact(found)
}

// bounds returns the least and the greatest number that is taken, or nil where every number is.
func bounds(taken func(int64) bool) *[2]int64 {
	low, high := int64(math.MinInt32), int64(math.MaxInt32)
	if taken(low) && taken(high) {
		return nil
	}
	for _, start := range []int64{1, 0, 100, 1000, 10, 600, 100000, 10000000} {
		if taken(start) {
			return &[2]int64{edge(start, low, taken), edge(start, high, taken)}
		}
	}
	return nil
}

// edge returns the last number on the way from one that is taken to an end that may not be.
func edge(inside, outside int64, taken func(int64) bool) int64 {
	if taken(outside) {
		return outside
	}
	for inside-outside > 1 || outside-inside > 1 {
		if middle := (inside + outside) / 2; taken(middle) {
			inside = middle
		} else {
			outside = middle
		}
	}
	return inside
}

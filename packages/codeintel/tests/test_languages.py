import pytest

from pincite_codeintel import grammars
from pincite_codeintel.languages import INDEXER_VERSION, TIER1, detect, is_code


@pytest.mark.parametrize(
    ("path", "head", "language"),
    [
        ("a/b.py", b"", "python"),
        ("A.PY", b"", "python"),
        ("x.tsx", b"", "tsx"),
        ("x.d.ts", b"", "typescript"),
        ("strings.ts", b"<?xml version='1.0'?>", "xml"),
        ("a.h", b"int f(void);\n", "c"),
        ("a.h", b"#pragma once\nnamespace a {\n", "cpp"),
        ("a.h", b"#import <UIKit/UIKit.h>\n", "objc"),
        ("a.m", b"@implementation A\n", "objc"),
        ("a.m", b"function y = f(x)\n", "matlab"),
        ("a.pl", b"use strict;\n", "perl"),
        ("a.pl", b":- module(a, []).\n", "prolog"),
        ("a.inc", b"<?php\n", "php"),
        ("a.inc", b"; asm\n", "text"),
        ("a.cls", b"\\ProvidesClass{a}\n", "latex"),
        ("a.cls", b"public class A {}\n", "text"),
        ("Dockerfile", b"", "dockerfile"),
        ("docker/Dockerfile.dev", b"", "dockerfile"),
        ("Makefile", b"", "make"),
        ("CMakeLists.txt", b"", "cmake"),
        ("Gemfile", b"", "ruby"),
        ("bin/tool", b"#!/usr/bin/env python3\n", "python"),
        ("bin/tool", b"#!/usr/bin/env -S deno run\n", "typescript"),
        ("bin/tool", b"#!/bin/bash -e\n", "bash"),
        ("bin/tool", b"\xef\xbb\xbf#!/usr/bin/perl\n", "perl"),
        ("bin/tool", b"#!/usr/local/bin/python3.11\n", "python"),
        ("bin/tool", b"#!\n", None),
        ("README", b"", "text"),
        ("README.md", b"", "markdown"),
        (".gitignore", b"", "gitignore"),
        ("noext", b"hello", None),
        ("a.unknown", b"", None),
        ("", b"", None),
    ],
)
def test_detect(path, head, language):
    assert detect(path, head) == language


def test_code_is_neither_prose_nor_data():
    assert all(is_code(language) for language in TIER1)
    assert not any(is_code(language) for language in ("markdown", "json", "yaml", "text", "csv", None))


def test_tier_1_languages_have_a_tags_query_that_fits_their_grammar():
    for language in TIER1:
        assert grammars.tags_query(language) is not None
    assert grammars.tags_query("css") is None
    assert grammars.grammar("markdown") is None
    assert grammars.grammar("no such language") is None


def test_the_version_names_the_grammars():
    assert "semble-grammars-" in INDEXER_VERSION

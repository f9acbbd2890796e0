import vitest from '@vitest/eslint-plugin'
import prettier from 'eslint-config-prettier'
import tseslint from 'typescript-eslint'

/** Which folders of src/lib a folder may import, besides itself, `errors.ts` and types of `core/types.ts`. */
const MAY_IMPORT = {
  core: [],
  format: [],
  runtime: ['core', 'format'],
  clients: ['core', 'format', 'runtime'],
  transforms: ['core', 'format'],
  sources: ['core', 'clients', 'format'],
  sinks: ['core', 'clients', 'format', 'transforms', 'runtime'],
  jobs: ['core', 'clients', 'format', 'sinks', 'sources', 'transforms', 'runtime'],
  cli: [], // wires everything: not restricted
}

const folderRules = Object.entries(MAY_IMPORT).map(([folder, allowed]) => {
  const forbidden = Object.keys(MAY_IMPORT).filter((other) => other !== folder && !allowed.includes(other))
  const folders = {group: forbidden.map((other) => `**/${other}/**`), message: `${folder} imports none of these: see docs/architecture.md`}
  const oclif = {group: ['@oclif/*', '@oclif/core/*'], message: 'only cli and commands import oclif'}
  const patterns = folder === 'cli' ? [] : [folders, oclif]
  return {files: [`src/lib/${folder}/**`], rules: {'no-restricted-imports': ['error', {patterns}]}}
})

const PASSED_IN = 'what is impure is passed in: see Runtime in core/types.ts'

const IMPURE = [
  ['Date', 'now'],
  ['Math', 'random'],
  ['process', 'env'],
].map(([object, property]) => ({object, property, message: PASSED_IN}))

const IMPURE_GLOBALS = ['setTimeout', 'setInterval', 'setImmediate', 'fetch'].map((name) => ({name, message: PASSED_IN}))

export default tseslint.config(
  {ignores: ['dist', 'coverage', 'docs', 'bench/peers']},
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {parserOptions: {project: './tsconfig.test.json', tsconfigRootDir: import.meta.dirname}},
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-unused-vars': ['error', {argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_'}],
      '@typescript-eslint/only-throw-error': 'off', // an abort's reason is thrown as it is
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off', // noUncheckedIndexedAccess asks for them where a length was just checked
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        {allowNumber: true, allowBoolean: true, allow: [{name: 'bigint', from: 'lib'}], allowNullish: true},
      ],
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/require-await': 'off', // an interface's method returns a promise whether or not this one waits
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-unnecessary-condition': 'off', // it does not see that a signal may fire during an await
      '@typescript-eslint/use-unknown-in-catch-callback-variable': 'off', // fs rejects with ErrnoException
      '@typescript-eslint/no-misused-spread': 'off',
      '@typescript-eslint/no-unsafe-enum-assignment': 'off', // there are no enums, and it takes long to see that
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off', // a sixth of the time, for classes that we do not have
      '@typescript-eslint/consistent-type-imports': ['error', {disallowTypeAnnotations: false}],
      'no-restricted-properties': ['error', ...IMPURE],
      'no-restricted-globals': ['error', ...IMPURE_GLOBALS],
      'object-shorthand': 'error',
      eqeqeq: ['error', 'always', {null: 'ignore'}],
    },
  },
  ...folderRules,
  {
    files: ['src/lib/{runtime,cli}/**', 'src/commands/**', 'test/**', 'bench/**', 'examples/**', 'bin/**', '*.config.*'],
    rules: {'no-restricted-properties': 'off', 'no-restricted-globals': 'off'},
  },
  {
    files: ['test/**'],
    plugins: {vitest},
    rules: {
      'vitest/no-focused-tests': 'error',
      'vitest/no-disabled-tests': 'error',
      'vitest/expect-expect': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
    },
  },
  {files: ['**/*.js'], ...tseslint.configs.disableTypeChecked},
  prettier,
)

import oclif from '@oclif/prettier-config'

export default {...oclif, printWidth: 140}
